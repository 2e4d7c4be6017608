//! Rows of cancellations of paid orders. An unpaid one says by its state that it is cancelled.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::order_cancellations;
use crate::types::id::{OrderId, RefundId};

/// When a paid order was cancelled; none where it wasn't.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, order: OrderId) -> Result<Option<DateTime<Utc>>> {
    let query = order_cancellations::table.find(order).select(order_cancellations::cancelled_at);
    Ok(query.first(conn).await.optional()?)
}

/// Which of these orders were cancelled though they were paid.
///
/// # Errors
/// The database's.
pub async fn among(conn: &mut Conn, orders: &[OrderId]) -> Result<HashSet<OrderId>> {
    let cancelled = order_cancellations::table.filter(order_cancellations::order_id.eq_any(orders));
    let ids: Vec<OrderId> = cancelled.select(order_cancellations::order_id).load(conn).await?;
    Ok(ids.into_iter().collect())
}

/// Writes that a paid order is cancelled, and by which refund its money goes back; none where nothing was left to go back.
/// The order's row is locked.
///
/// # Errors
/// The database's.
pub async fn insert(
    conn: &mut Conn,
    order: OrderId,
    refund: Option<RefundId>,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(order_cancellations::table)
        .values((
            order_cancellations::order_id.eq(order),
            order_cancellations::refund_id.eq(refund),
            order_cancellations::cancelled_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
