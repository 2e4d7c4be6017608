//! Rows of number series, their numbers, and the prefixes that chapters and series share.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{number_prefixes, number_series, series_numbers};
use crate::types::id::{AccountId, ChapterId, NumberSeriesId};

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = number_series)]
pub struct Series {
    pub id: NumberSeriesId,
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    pub prefix: String,
    /// The tag of an account that may have a number.
    pub role: String,
    pub next_sequence: i64,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = series_numbers)]
pub struct SeriesNumber {
    pub number: String,
    pub series_id: NumberSeriesId,
    pub account_id: AccountId,
    pub sequence: i64,
    pub given_at: DateTime<Utc>,
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: NumberSeriesId) -> Result<Option<Series>> {
    Ok(number_series::table.find(id).select(Series::as_select()).first(conn).await.optional()?)
}

/// [`find`], locked until the transaction ends: no number is given meanwhile.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: NumberSeriesId) -> Result<Option<Series>> {
    let row = number_series::table.find(id).for_no_key_update();
    Ok(row.select(Series::as_select()).first(conn).await.optional()?)
}

/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Series>> {
    Ok(number_series::table
        .filter(number_series::id.lt(NumberSeriesId(page.before)))
        .order(number_series::id.desc())
        .limit(page.fetch())
        .select(Series::as_select())
        .load(conn)
        .await?)
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, series: &Series) -> Result<()> {
    diesel::insert_into(number_series::table).values(series).execute(conn).await?;
    diesel::insert_into(number_prefixes::table)
        .values((number_prefixes::prefix.eq(&series.prefix), number_prefixes::series_id.eq(series.id)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Keeps a new chapter's prefix from every other chapter and series.
///
/// # Errors
/// `code_taken`
pub async fn take_prefix(conn: &mut Conn, prefix: &str, chapter: ChapterId) -> Result<()> {
    diesel::insert_into(number_prefixes::table)
        .values((number_prefixes::prefix.eq(prefix), number_prefixes::chapter_id.eq(chapter)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes what can change of a locked series.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, series: &Series) -> Result<()> {
    diesel::update(number_series::table.find(series.id))
        .set((
            number_series::name_zh.eq(&series.name_zh),
            number_series::name_en.eq(&series.name_en),
            number_series::role.eq(&series.role),
            number_series::next_sequence.eq(series.next_sequence),
            number_series::archived_at.eq(series.archived_at),
            number_series::version.eq(series.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// `number_given`
pub async fn insert_number(conn: &mut Conn, number: &SeriesNumber) -> Result<()> {
    diesel::insert_into(series_numbers::table).values(number).execute(conn).await?;
    Ok(())
}

/// A page of a series' numbers, from the highest one down. Sequences stand for ids ([`place`]).
///
/// # Errors
/// The database's.
pub async fn numbers(conn: &mut Conn, series: NumberSeriesId, page: Page) -> Result<Vec<SeriesNumber>> {
    Ok(series_numbers::table
        .filter(series_numbers::series_id.eq(series))
        .filter(series_numbers::sequence.lt(i64::try_from(page.before.as_u128()).unwrap_or(i64::MAX)))
        .order(series_numbers::sequence.desc())
        .limit(page.fetch())
        .select(SeriesNumber::as_select())
        .load(conn)
        .await?)
}

/// Where a number stands in pages of its series.
pub fn place(number: &SeriesNumber) -> Uuid {
    Uuid::from_u128(u128::try_from(number.sequence).unwrap_or(0))
}

/// An account's numbers, each with its series.
///
/// # Errors
/// The database's.
pub async fn of_account(conn: &mut Conn, account: AccountId) -> Result<Vec<(SeriesNumber, Series)>> {
    Ok(series_numbers::table
        .inner_join(number_series::table)
        .filter(series_numbers::account_id.eq(account))
        .order((series_numbers::given_at, series_numbers::number))
        .select((SeriesNumber::as_select(), Series::as_select()))
        .load(conn)
        .await?)
}

/// Whose number of a series it is, and since when.
///
/// # Errors
/// The database's.
pub async fn by_number(conn: &mut Conn, number: &str) -> Result<Option<(AccountId, DateTime<Utc>)>> {
    Ok(series_numbers::table
        .find(number)
        .select((series_numbers::account_id, series_numbers::given_at))
        .first(conn)
        .await
        .optional()?)
}
