//! Rows of whom to look at, and how far a walk over everybody has come.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{accounts, level_looks, loyalty_walks};
use crate::statement;
use crate::types::id::AccountId;

statement! {
    struct Touch = "INSERT INTO level_looks (id, account_id, went_back, at)
        SELECT id, account_id, "
        [went_back: bool => Bool] ", "
        [at: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<Uuid> => Array<SqlUuid>] ", "
        [accounts: Vec<AccountId> => Array<SqlUuid>] ") AS of (id, account_id)
        WHERE EXISTS (SELECT FROM levels WHERE archived_at IS NULL) OR EXISTS (SELECT FROM stages WHERE archived_at IS NULL)"
}

/// Enters that these accounts are to be looked at; false where there is nothing to reach. No two of these ever wait for one
/// another.
///
/// # Errors
/// The database's.
pub async fn touch(
    conn: &mut Conn,
    accounts: &[AccountId],
    went_back: bool,
    at: DateTime<Utc>,
) -> Result<bool> {
    let ids = accounts.iter().map(|_| Uuid::now_v7()).collect();
    let touched = Touch { went_back, at, ids, accounts: accounts.to_vec() }.execute(conn).await?;
    Ok(touched > 0)
}

/// Somebody is to be looked at.
#[derive(Clone, Copy, Debug, Queryable, Selectable)]
#[diesel(table_name = level_looks)]
pub struct Look {
    id: Uuid,
    pub account_id: AccountId,
    /// Something that counted before counts no more.
    pub went_back: bool,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// Takes some of those who are to be looked at, the first first.
///
/// # Errors
/// The database's.
pub async fn take(conn: &mut Conn, limit: i64) -> Result<Vec<Look>> {
    let looks: Vec<Look> = level_looks::table
        .order(level_looks::id)
        .limit(limit)
        .for_update()
        .skip_locked()
        .select(Look::as_select())
        .load(conn)
        .await?;
    let ids: Vec<_> = looks.iter().map(|look| look.id).collect();
    diesel::delete(level_looks::table.filter(level_looks::id.eq_any(ids))).execute(conn).await?;
    Ok(looks)
}

/// A walk over everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = loyalty_walks)]
#[diesel(treat_none_as_null = true)]
pub struct Walk {
    pub id: Uuid,
    /// The shop's.
    pub day: NaiveDate,
    /// Accounts up to here are done.
    pub cursor: Option<AccountId>,
    pub judged: i64,
    /// Rose to another level.
    pub raised: i64,
    /// Moved on the ladder.
    pub moved: i64,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// The walk that isn't finished, locked.
///
/// # Errors
/// The database's.
pub async fn open(conn: &mut Conn) -> Result<Option<Walk>> {
    let query = loyalty_walks::table.filter(loyalty_walks::finished_at.is_null()).for_no_key_update();
    Ok(query.select(Walk::as_select()).first(conn).await.optional()?)
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, walk: &Walk) -> Result<()> {
    diesel::insert_into(loyalty_walks::table).values(walk).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

/// Writes a walk that is locked.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, walk: &Walk) -> Result<()> {
    diesel::update(loyalty_walks::table.find(walk.id)).set(walk).execute(conn).await?;
    Ok(())
}

/// The next accounts of a walk, by id: those that can stand somewhere.
///
/// # Errors
/// The database's.
pub async fn next(conn: &mut Conn, after: Option<AccountId>, limit: i64) -> Result<Vec<AccountId>> {
    Ok(accounts::table
        .filter(accounts::id.gt(after.unwrap_or(AccountId(Uuid::nil()))))
        .filter(accounts::erased_at.is_null())
        .filter(accounts::is_guest.eq(false))
        .order(accounts::id)
        .limit(limit)
        .select(accounts::id)
        .load(conn)
        .await?)
}
