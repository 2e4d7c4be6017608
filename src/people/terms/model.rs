//! Rows and queries of terms of sale.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::terms_versions;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = terms_versions)]
pub struct TermsRow {
    pub version: String,
    pub url: String,
    pub published_at: DateTime<Utc>,
}

/// The terms in force: the newest. None where the shop has published none.
///
/// # Errors
/// The database's.
pub async fn current(conn: &mut Conn) -> Result<Option<TermsRow>> {
    Ok(terms_versions::table
        .order(terms_versions::published_at.desc())
        .select(TermsRow::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// All versions, newest first. They are few: one a change of the law.
///
/// # Errors
/// The database's.
pub async fn all(conn: &mut Conn) -> Result<Vec<TermsRow>> {
    Ok(terms_versions::table
        .order(terms_versions::published_at.desc())
        .select(TermsRow::as_select())
        .load(conn)
        .await?)
}

/// # Errors
/// `code_taken` for a version that exists.
pub async fn insert(conn: &mut Conn, row: &TermsRow) -> Result<()> {
    diesel::insert_into(terms_versions::table).values(row).execute(conn).await?;
    Ok(())
}
