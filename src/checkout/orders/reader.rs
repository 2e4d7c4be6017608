//! Orders as they are shown: their rows, read set by set for whoever looks at the same time.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::model::{self, LineRow, OrderRow, OrderState};
use crate::checkout::payments::model::{self as payments, PaymentRow};
use crate::checkout::refunds::model::{self as refunds, RefundRow};
use crate::db::Conn;
use crate::error::Result;
use crate::shop::crowdfunding::model as pledges;
use crate::types::id::OrderId;

/// An order, and what lies with it.
#[derive(Clone, Debug)]
pub struct OrderRows {
    pub order: OrderRow,
    /// In their order.
    pub lines: Vec<LineRow>,
    /// The latest.
    pub payment: Option<PaymentRow>,
    /// The first first.
    pub refunds: Vec<RefundRow>,
    /// Under which its buyer is thanked.
    pub backer_name: Option<String>,
}

/// What there is of these orders.
///
/// # Errors
/// The database's.
pub async fn read(conn: &Conn, ids: &[OrderId]) -> Result<HashMap<OrderId, OrderRows>> {
    let (orders, lines, payments) = tokio::try_join!(
        model::load_all(conn, ids),
        model::lines_of(conn, ids),
        payments::latest_of(conn, ids),
    )?;
    let mut found: HashMap<OrderId, OrderRows> =
        orders.into_iter().map(|order| (order.id, bare(order))).collect();
    for line in lines {
        found.entry(line.order_id).and_modify(|rows| rows.lines.push(line));
    }
    for payment in payments {
        found.entry(payment.order_id).and_modify(|rows| rows.payment = Some(payment));
    }
    // In a rush most orders are looked at while nothing can have followed from them.
    let is_over = |rows: &&OrderRows| rows.order.state != OrderState::PendingPayment;
    let followed: Vec<_> = found.values().filter(is_over).map(|rows| rows.order.id).collect();
    if !followed.is_empty() {
        for refund in refunds::of_orders(conn, &followed).await? {
            found.entry(refund.order_id).and_modify(|rows| rows.refunds.push(refund));
        }
    }
    let is_of_drop = |rows: &&OrderRows| rows.lines.iter().any(|line| line.drop_id.is_some());
    let of_drops: Vec<_> = found.values().filter(is_of_drop).map(|rows| rows.order.id).collect();
    if !of_drops.is_empty() {
        for (order, name) in pledges::names_of(conn, &of_drops).await? {
            found.entry(order).and_modify(|rows| rows.backer_name = Some(name));
        }
    }
    Ok(found)
}

/// [`read`], for whom it is one of several.
pub fn boxed<'a>(
    conn: &'a mut Conn,
    ids: &'a [OrderId],
) -> BoxFuture<'a, Result<HashMap<OrderId, OrderRows>>> {
    read(conn, ids).boxed()
}

fn bare(order: OrderRow) -> OrderRows {
    OrderRows { order, lines: Vec::new(), payment: None, refunds: Vec::new(), backer_name: None }
}
