//! The ledger of stock and the pools that it adds up to.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{pools, stock_moves};
use crate::types::id::{MoveId, PoolId, VariantId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Why stock moves.
    Reason as "StockMoveReason" {
        Received = "received",
        Corrected = "corrected",
        Damaged = "damaged",
        WrittenOff = "written_off",
        /// Into the pools of F-codes and channels.
        SetAside = "set_aside",
        /// Out of them again.
        ReturnedToSale = "returned_to_sale",
        /// Sent back by who had bought them, fit to be sold again. Their claims stay taken.
        Returned = "returned",
    }
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = stock_moves)]
pub struct Move {
    pub id: MoveId,
    pub variant_id: VariantId,
    pub quantity: i64,
    pub reason: Reason,
    pub note: Option<String>,
    /// What caused it, once.
    pub cause: String,
    pub moved_by: String,
    pub moved_at: DateTime<Utc>,
}

/// Writes moves of one variant and what they do to its pool, which is locked. False where a cause is known already: then
/// nothing is written.
///
/// # Errors
/// The database's; `pools_within_capacity` where more goes than is free.
pub async fn enter(conn: &mut Conn, pool: PoolId, new: &Move) -> Result<bool> {
    let written = diesel::insert_into(stock_moves::table)
        .values(new)
        .on_conflict(stock_moves::cause)
        .do_nothing()
        .execute(conn)
        .await?;
    if written == 1 {
        diesel::update(pools::table.find(pool))
            .set(pools::capacity.eq(pools::capacity + new.quantity))
            .execute(conn)
            .await?;
    }
    Ok(written == 1)
}

/// Lets a pool without a ledger take more, or fewer. It is locked.
///
/// # Errors
/// The database's.
pub async fn resize(conn: &mut Conn, pool: PoolId, by: i64) -> Result<()> {
    diesel::update(pools::table.find(pool))
        .set(pools::capacity.eq(pools::capacity + by))
        .execute(conn)
        .await?;
    Ok(())
}

/// The move of a cause.
///
/// # Errors
/// The database's.
pub async fn by_cause(conn: &mut Conn, cause: &str) -> Result<Option<Move>> {
    let query = stock_moves::table.filter(stock_moves::cause.eq(cause)).select(Move::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// A page of the ledger, newest first; of one variant where one is given.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, variant: Option<VariantId>, page: Page) -> Result<Vec<Move>> {
    let mut query = stock_moves::table
        .filter(stock_moves::id.lt(MoveId(page.before)))
        .order(stock_moves::id.desc())
        .limit(page.fetch())
        .select(Move::as_select())
        .into_boxed();
    if let Some(variant) = variant {
        query = query.filter(stock_moves::variant_id.eq(variant));
    }
    Ok(query.load(conn).await?)
}
