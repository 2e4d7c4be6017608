//! Until when goods are promised to be sent, a row for each paid order of goods, and the orders that are late.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::checkout::orders::model::OrderRow;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{order_lines, orders, pledges, shipping_promises};
use crate::statement;
use crate::types::id::{DropId, OrderId};

statement! {
    struct Make = "INSERT INTO shipping_promises (order_id, ship_by) SELECT * FROM UNNEST("
        [orders: Vec<OrderId> => Array<SqlUuid>] ", "
        [times: Vec<DateTime<Utc>> => Array<Timestamptz>] ") ON CONFLICT DO NOTHING"
}

/// Stores the promises of orders that were paid now. Once an order.
///
/// # Errors
/// The database's.
pub async fn make(conn: &mut Conn, promises: &[(OrderId, DateTime<Utc>)]) -> Result<()> {
    if !promises.is_empty() {
        let (orders, times) = promises.iter().copied().unzip();
        Make { orders, times }.execute(conn).await?;
    }
    Ok(())
}

statement! {
    struct Review = "UPDATE shipping_promises p SET done_at = CASE WHEN o.state <> 'refunded' \
         AND NOT EXISTS (SELECT FROM order_cancellations c WHERE c.order_id = o.id) \
         AND EXISTS (SELECT FROM order_lines l WHERE l.order_id = o.id AND l.fulfilled_at IS NULL \
                     AND NOT (l.total_minor > 0 AND l.refunded_minor = l.total_minor)) \
         THEN NULL ELSE coalesce(p.done_at, "
        [now: DateTime<Utc> => Timestamptz] ") END FROM orders o WHERE o.id = p.order_id AND p.order_id = ANY("
        [orders: Vec<OrderId> => Array<SqlUuid>] ")"
}

/// Looks whether anything is left to send, after a parcel, a refund or a cancellation; a refund that failed makes its
/// goods wait again. The order's row is locked.
///
/// # Errors
/// The database's.
pub async fn review(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    review_all(conn, vec![order], now).await
}

/// [`review`] for many.
///
/// # Errors
/// The database's.
pub async fn review_all(conn: &mut Conn, orders: Vec<OrderId>, now: DateTime<Utc>) -> Result<()> {
    Review { now, orders }.execute(conn).await?;
    Ok(())
}

/// A promise that stands, of an order in a crowdfunded drop.
#[derive(Clone, Copy, Debug, Queryable)]
pub struct OpenPromise {
    pub order: OrderId,
    pub paid_at: DateTime<Utc>,
    /// Of the line, where its article is sold before it is there.
    pub ships_from: Option<DateTime<Utc>>,
}

/// The promises to a drop's backers of which something is still to be sent.
///
/// # Errors
/// The database's.
pub async fn open_of_drop(conn: &mut Conn, drop: DropId) -> Result<Vec<OpenPromise>> {
    Ok(shipping_promises::table
        .inner_join(orders::table.inner_join(order_lines::table.inner_join(pledges::table)))
        .filter(pledges::drop_id.eq(drop))
        .filter(shipping_promises::done_at.is_null())
        .filter(orders::paid_at.is_not_null())
        .order(shipping_promises::order_id)
        .select((shipping_promises::order_id, orders::paid_at.assume_not_null(), order_lines::ships_from))
        .load(conn)
        .await?)
}

statement! {
    struct Set = "UPDATE shipping_promises p SET ship_by = n.ship_by FROM UNNEST("
        [orders: Vec<OrderId> => Array<SqlUuid>] ", "
        [times: Vec<DateTime<Utc>> => Array<Timestamptz>] ") AS n (id, ship_by) WHERE p.order_id = n.id"
}

/// Writes other promises.
///
/// # Errors
/// The database's.
pub async fn set(conn: &mut Conn, promises: &[(OrderId, DateTime<Utc>)]) -> Result<()> {
    if !promises.is_empty() {
        let (orders, times) = promises.iter().copied().unzip();
        Set { orders, times }.execute(conn).await?;
    }
    Ok(())
}

/// The promise of an order; none where nothing is or was to be sent.
///
/// # Errors
/// The database's.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Option<DateTime<Utc>>> {
    let query = shipping_promises::table.find(order).select(shipping_promises::ship_by);
    Ok(query.first(conn).await.optional()?)
}

/// A page of orders of which something should have been sent by now, the one that waits longest first. A page goes on
/// after the order whose id is its `before`.
///
/// # Errors
/// The database's.
pub async fn late(conn: &mut Conn, now: DateTime<Utc>, page: Page) -> Result<Vec<OrderRow>> {
    let mut query = shipping_promises::table
        .inner_join(orders::table)
        .filter(shipping_promises::done_at.is_null())
        .filter(shipping_promises::ship_by.le(now))
        .order((shipping_promises::ship_by, shipping_promises::order_id))
        .limit(page.fetch())
        .select(OrderRow::as_select())
        .into_boxed();
    if page.before != Uuid::max() {
        let last = OrderId(page.before);
        // Sent meanwhile, its promise is still there.
        let Some(ship_by) = of_order(conn, last).await? else { return Ok(Vec::new()) };
        let later = shipping_promises::ship_by.gt(ship_by);
        let same = shipping_promises::ship_by.eq(ship_by).and(shipping_promises::order_id.gt(last));
        query = query.filter(shipping_promises::ship_by.ge(ship_by)).filter(later.or(same));
    }
    Ok(query.load(conn).await?)
}
