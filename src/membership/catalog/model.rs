//! What the snapshot is made of, and how it notices that it is old.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{catalog_version, pools};
use crate::types::id::PoolId;

/// Says that tiers, what they open, plans or drives change, in the transaction that changes them. Its row is locked until that commits,
/// after everything else but the audit log's head.
///
/// # Errors
/// The database's.
pub async fn raise_version(conn: &mut Conn) -> Result<()> {
    diesel::update(catalog_version::table)
        .set(catalog_version::version.eq(catalog_version::version + 1))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn version(conn: &mut Conn) -> Result<i64> {
    Ok(catalog_version::table.select(catalog_version::version).first(conn).await?)
}

/// How many places of these pools are held and taken: (pool, held, taken).
///
/// # Errors
/// The database's.
pub async fn counts(conn: &mut Conn, ids: &[PoolId]) -> Result<Vec<(PoolId, i64, i64)>> {
    Ok(pools::table
        .filter(pools::id.eq_any(ids))
        .select((pools::id, pools::held, pools::taken))
        .load(conn)
        .await?)
}
