//! Rows of check-ins.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::check_ins;
use crate::types::id::AccountId;

/// A day on which somebody came by.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = check_ins)]
pub struct CheckIn {
    pub account_id: AccountId,
    /// Of the shop.
    pub day: NaiveDate,
    /// Days in a row, this one among them.
    pub streak: i32,
    pub points: i64,
    pub created_at: DateTime<Utc>,
}

/// Writes a check-in; false where the day has one. Who comes at the same time waits for the first.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, row: &CheckIn) -> Result<bool> {
    let written = diesel::insert_into(check_ins::table).values(row).on_conflict_do_nothing();
    Ok(written.execute(conn).await? == 1)
}

/// The check-in of a day.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, account: AccountId, day: NaiveDate) -> Result<Option<CheckIn>> {
    let query = check_ins::table.find((account, day)).select(CheckIn::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// Check-ins from that day on, the latest first.
///
/// # Errors
/// The database's.
pub async fn since(conn: &mut Conn, account: AccountId, day: NaiveDate) -> Result<Vec<CheckIn>> {
    Ok(check_ins::table
        .filter(check_ins::account_id.eq(account))
        .filter(check_ins::day.ge(day))
        .order(check_ins::day.desc())
        .select(CheckIn::as_select())
        .load(conn)
        .await?)
}
