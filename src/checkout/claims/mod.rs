//! The one atomic primitive: a claim is one order's hold on a bounded quantity, the pool. Claims go held → taken or
//! held → released, and a taken one is released only by a refund that says so. Never read a counter and write it later:
//! lock the pools first ([`lock`]), decide, then write.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{claims, pools};
use crate::shop::waiting_list;
use crate::types::id::{ClaimId, LineId, OrderId, PoolId};
use crate::{batch_insert, statement};

/// A pool's row, locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = pools)]
pub struct Pool {
    pub id: PoolId,
    pub capacity: i64,
    pub held: i64,
    pub taken: i64,
}

impl Pool {
    /// What can still be claimed.
    pub fn left(&self) -> i64 {
        self.capacity - self.held - self.taken
    }
}

/// A claim's row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = claims)]
pub struct Claim {
    pub id: ClaimId,
    pub pool_id: PoolId,
    pub order_id: OrderId,
    /// None where the order claims it as a whole, such as the use of a coupon.
    pub line_id: Option<LineId>,
    pub quantity: i64,
    pub state: String,
}

batch_insert! {
    /// A claim that is made now. Its pool's counters move by [`shift`].
    pub struct NewClaim as ClaimColumns into "claims" {
        id: ClaimId => SqlUuid,
        pool_id: PoolId => SqlUuid,
        order_id: OrderId => SqlUuid,
        line_id: Option<LineId> => Nullable<SqlUuid>,
        quantity: i64 => BigInt,
        state: &'static str => Text,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

statement! {
    struct Move = "UPDATE pools SET held = pools.held + change.held, taken = pools.taken + change.taken FROM UNNEST("
        [pools: Vec<PoolId> => Array<SqlUuid>] ", "
        [held: Vec<i64> => Array<BigInt>] ", "
        [taken: Vec<i64> => Array<BigInt>] ") AS change (id, held, taken) WHERE pools.id = change.id"
}

statement! {
    struct End = "UPDATE claims SET state = "
        [to: &'static str => Text] ", ended_at = "
        [now: DateTime<Utc> => Timestamptz] " WHERE id = ANY ("
        [claims: Vec<ClaimId> => Array<SqlUuid>] ")"
}

/// Locks pools in id order, the first of all locks but an order's own row.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, ids: &[PoolId]) -> Result<Vec<Pool>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(pools::table
        .filter(pools::id.eq_any(ids))
        .order(pools::id)
        .select(Pool::as_select())
        .for_no_key_update()
        .load(conn)
        .await?)
}

/// Pools as they stand, for a quote: without a lock, so by the time of an order they may stand otherwise.
///
/// # Errors
/// The database's.
pub async fn read(conn: &mut Conn, ids: &[PoolId]) -> Result<Vec<Pool>> {
    Ok(pools::table.filter(pools::id.eq_any(ids)).select(Pool::as_select()).load(conn).await?)
}

/// Adds to what is held and taken, a pool at a time with one statement; the pools are locked.
///
/// # Errors
/// The database's; `pools_within_capacity` is the alarm that a rule was missed.
pub async fn shift(conn: &mut &Conn, changes: &BTreeMap<PoolId, (i64, i64)>) -> QueryResult<()> {
    let changes = changes.iter().filter(|(_, change)| **change != (0, 0));
    let mut shift = Move { pools: Vec::new(), held: Vec::new(), taken: Vec::new() };
    for (pool, (held, taken)) in changes {
        shift.pools.push(*pool);
        shift.held.push(*held);
        shift.taken.push(*taken);
    }
    if !shift.pools.is_empty() {
        shift.execute(conn).await?;
    }
    Ok(())
}

/// The claims of these orders that hold or took something, in pool order.
///
/// # Errors
/// The database's.
pub async fn live_of(mut conn: &Conn, orders: &[OrderId]) -> Result<Vec<Claim>> {
    Ok(claims::table
        .filter(claims::order_id.eq_any(orders))
        .filter(claims::state.eq_any(["held", "taken"]))
        .order((claims::pool_id, claims::id))
        .select(Claim::as_select())
        .load(&mut conn)
        .await?)
}

/// Locks the pools of the live claims of these orders, and tells these.
///
/// # Errors
/// The database's.
pub async fn lock_of(conn: &mut Conn, orders: &[OrderId]) -> Result<Vec<Claim>> {
    let live = live_of(conn, orders).await?;
    let ids: Vec<_> = live.iter().map(|claim| claim.pool_id).collect();
    lock(conn, &ids).await?;
    Ok(live)
}

/// Held → taken, for paid orders whose rows are locked. `live` are its claims, by [`lock_of`].
///
/// # Errors
/// The database's.
pub async fn take(conn: &mut Conn, live: Vec<Claim>, now: DateTime<Utc>) -> Result<()> {
    let held = live.into_iter().filter(|claim| claim.state == "held").collect();
    finish(conn, held, "held", "taken", now).await
}

/// Held → released: the quantity can be claimed by others.
///
/// # Errors
/// The database's.
pub async fn release(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    end(conn, order, Which::All, "held", "released", now).await
}

/// Taken → released for one line: what was sold goes back on sale.
///
/// # Errors
/// The database's.
pub async fn give_back(conn: &mut Conn, order: OrderId, line: LineId, now: DateTime<Utc>) -> Result<()> {
    end(conn, order, Which::Line(line), "taken", "released", now).await
}

/// Taken → released for what the order claimed as a whole: its coupons can be used again.
///
/// # Errors
/// The database's.
pub async fn give_back_whole(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    end(conn, order, Which::Whole, "taken", "released", now).await
}

/// Claims of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    Line(LineId),
    /// Of the order as a whole.
    Whole,
}

async fn end(
    conn: &mut Conn,
    order: OrderId,
    which: Which,
    from: &'static str,
    to: &'static str,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut moved = live_of(conn, &[order]).await?;
    moved.retain(|claim| {
        let is_meant = match which {
            Which::All => true,
            Which::Line(line) => claim.line_id == Some(line),
            Which::Whole => claim.line_id.is_none(),
        };
        is_meant && claim.state == from
    });
    let pools: Vec<_> = moved.iter().map(|claim| claim.pool_id).collect();
    lock(conn, &pools).await?;
    finish(conn, moved, from, to, now).await
}

/// Moves claims of locked pools from a state to another.
async fn finish(
    conn: &mut Conn,
    moved: Vec<Claim>,
    from: &'static str,
    to: &'static str,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut changes = BTreeMap::new();
    for claim in &moved {
        let (held, taken) = changes.entry(claim.pool_id).or_insert((0, 0));
        *(if from == "held" { &mut *held } else { &mut *taken }) -= claim.quantity;
        if to == "taken" {
            *taken += claim.quantity;
        }
    }
    let ended = End { to, now, claims: moved.iter().map(|claim| claim.id).collect() };
    let (mut one, mut two) = (&*conn, &*conn);
    tokio::try_join!(ended.execute(&mut one), shift(&mut two, &changes))?;
    if to == "released" && !moved.is_empty() {
        let pools: Vec<_> = changes.keys().copied().collect();
        waiting_list::service::wake_for(conn, &pools, now).await?;
    }
    Ok(())
}

/// Claims again, at once as taken, what a released hold had: for a payment that came too late. The caller has locked the
/// pools and seen that there is room.
///
/// # Errors
/// The database's.
pub async fn take_again(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    let released = released_of(conn, order).await?;
    let mut changes = BTreeMap::new();
    let mut rows = Vec::with_capacity(released.len());
    for claim in released {
        changes.entry(claim.pool_id).or_insert((0, 0)).1 += claim.quantity;
        rows.push(NewClaim {
            id: ClaimId::new(),
            pool_id: claim.pool_id,
            order_id: order,
            line_id: claim.line_id,
            quantity: claim.quantity,
            state: "taken",
            created_at: now,
        });
    }
    NewClaim::insert(&mut &*conn, rows).await?;
    shift(&mut &*conn, &changes).await?;
    Ok(())
}

/// What an order held before its hold was released, one claim a line and pool.
///
/// # Errors
/// The database's.
pub async fn released_of(conn: &mut Conn, order: OrderId) -> Result<Vec<Claim>> {
    Ok(claims::table
        .filter(claims::order_id.eq(order))
        .filter(claims::state.eq("released"))
        .distinct_on((claims::pool_id, claims::line_id))
        .order((claims::pool_id, claims::line_id, claims::id))
        .select(Claim::as_select())
        .load(conn)
        .await?)
}
