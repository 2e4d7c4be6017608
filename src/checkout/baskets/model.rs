//! Rows and queries of baskets.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkout::orders::dto::LineRequest;
use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::schema::baskets;
use crate::statement;
use crate::types::id::{AccountId, BasketId, OrderId};

/// A basket that nobody touches is forgotten after that.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(30);

/// What is in a basket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub line: LineRequest,
    /// Of one unit, for who put it in, when he did.
    pub unit_minor: i64,
    /// The code of the refusal that stood then.
    pub refusal: Option<String>,
}

/// A basket.
#[derive(Clone)]
pub struct Basket {
    pub id: BasketId,
    /// None: a guest's.
    pub account: Option<AccountId>,
    pub secret_hash: Option<Vec<u8>>,
    pub lines: Vec<Kept>,
    pub version: i32,
    pub touched_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// What it became.
    pub order: Option<OrderId>,
    pub merged_into: Option<BasketId>,
}

impl Basket {
    /// An account's basket is its own; a guest's is for who shows its secret.
    pub fn is_open_to(&self, caller: Option<AccountId>, secret_hash: Option<&[u8]>) -> bool {
        match (self.account, self.secret_hash.as_deref()) {
            (Some(owner), _) => caller == Some(owner),
            (None, Some(hash)) => secret_hash == Some(hash),
            (None, None) => false,
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = baskets)]
struct Row {
    id: BasketId,
    account_id: Option<AccountId>,
    secret_hash: Option<Vec<u8>>,
    lines: Value,
    version: i32,
    touched_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    order_id: Option<OrderId>,
    merged_into: Option<BasketId>,
}

impl TryFrom<Row> for Basket {
    type Error = AppError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            account: row.account_id,
            secret_hash: row.secret_hash,
            lines: serde_json::from_value(row.lines).map_err(AppError::internal)?,
            version: row.version,
            touched_at: row.touched_at,
            ended_at: row.ended_at,
            order: row.order_id,
            merged_into: row.merged_into,
        })
    }
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: BasketId) -> Result<Option<Basket>> {
    let row: Option<Row> = baskets::table.find(id).select(Row::as_select()).first(conn).await.optional()?;
    row.map(Basket::try_from).transpose()
}

/// Locks baskets in id order until the transaction ends, after the accounts.
///
/// # Errors
/// The database's.
pub async fn load_locked(conn: &mut Conn, ids: &[BasketId]) -> Result<Vec<Basket>> {
    let rows: Vec<Row> = baskets::table
        .filter(baskets::id.eq_any(ids))
        .order(baskets::id)
        .select(Row::as_select())
        .for_no_key_update()
        .load(conn)
        .await?;
    rows.into_iter().map(Basket::try_from).collect()
}

/// Can it be ordered?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In this version.
    Open(i32),
    Ended,
}

/// Locks baskets that are to be ordered, in id order, after the accounts.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, ids: &[BasketId]) -> Result<HashMap<BasketId, Standing>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(BasketId, i32, Option<DateTime<Utc>>)> = baskets::table
        .filter(baskets::id.eq_any(ids))
        .order(baskets::id)
        .select((baskets::id, baskets::version, baskets::ended_at))
        .for_no_key_update()
        .load(conn)
        .await?;
    let standing = |(id, version, ended_at): (_, _, Option<_>)| {
        (id, if ended_at.is_some() { Standing::Ended } else { Standing::Open(version) })
    };
    Ok(rows.into_iter().map(standing).collect())
}

statement! {
    struct EndOrdered = "UPDATE baskets SET ended_at = " [now: DateTime<Utc> => Timestamptz] ", order_id = placed.order_id \
         FROM UNNEST(" [ids: Vec<BasketId> => Array<SqlUuid>] ", " [orders: Vec<OrderId> => Array<SqlUuid>]
         ") AS placed (id, order_id) WHERE baskets.id = placed.id"
}

/// These baskets became these orders. They are locked.
///
/// # Errors
/// The database's.
pub async fn end_ordered(
    conn: &mut &Conn,
    placed: Vec<(BasketId, OrderId)>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    if !placed.is_empty() {
        let (ids, orders) = placed.into_iter().unzip();
        EndOrdered { now, ids, orders }.execute(conn).await?;
    }
    Ok(())
}

/// An empty basket of a guest.
///
/// # Errors
/// The database's.
pub async fn insert_guests(
    conn: &mut Conn,
    id: BasketId,
    secret_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(baskets::table)
        .values((
            baskets::id.eq(id),
            baskets::secret_hash.eq(secret_hash),
            baskets::created_at.eq(now),
            baskets::touched_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The account's open basket, made where it has none.
///
/// # Errors
/// The database's.
pub async fn open_of(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<BasketId> {
    diesel::insert_into(baskets::table)
        .values((
            baskets::id.eq(BasketId::new()),
            baskets::account_id.eq(account),
            baskets::created_at.eq(now),
            baskets::touched_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(baskets::table
        .filter(baskets::account_id.eq(account))
        .filter(baskets::ended_at.is_null())
        .select(baskets::id)
        .first(conn)
        .await?)
}

/// Puts other lines in; the version moves on.
///
/// # Errors
/// The database's.
pub async fn store_lines(conn: &mut Conn, id: BasketId, lines: &[Kept], now: DateTime<Utc>) -> Result<()> {
    diesel::update(baskets::table.find(id))
        .set((
            baskets::lines.eq(serde_json::to_value(lines).map_err(AppError::internal)?),
            baskets::version.eq(baskets::version + 1),
            baskets::touched_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// A guest's basket is in an account's now.
///
/// # Errors
/// The database's.
pub async fn end_merged(conn: &mut Conn, id: BasketId, into: BasketId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(baskets::table.find(id))
        .set((baskets::ended_at.eq(now), baskets::touched_at.eq(now), baskets::merged_into.eq(into)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Somebody has looked: it is kept for longer. Written once a day at most.
///
/// # Errors
/// The database's.
pub async fn touch(conn: &mut Conn, id: BasketId, now: DateTime<Utc>) -> Result<()> {
    let stale = baskets::table
        .find(id)
        .filter(baskets::ended_at.is_null())
        .filter(baskets::touched_at.lt(now - TimeDelta::days(1)));
    diesel::update(stale).set(baskets::touched_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// Takes an account's baskets away, for erasure, with those that were merged into them.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    let own: Vec<BasketId> =
        baskets::table.filter(baskets::account_id.eq(account)).select(baskets::id).load(conn).await?;
    let theirs = baskets::id.eq_any(&own).or(baskets::merged_into.eq_any(&own));
    diesel::delete(baskets::table.filter(theirs)).execute(conn).await?;
    Ok(())
}
