//! What payment pages are made of, for all that are to be made at the same time: their jobs begin together, and wait for
//! Stripe's pace one after another.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;

use super::model::{self, PaymentRow};
use super::service::SESSION_EXTRA;
use crate::app::App;
use crate::checkout::orders::model::{self as orders, OrderRow};
use crate::db::Conn;
use crate::db::gather::Read;
use crate::error::Result;
use crate::types::id::PaymentId;

/// For clocks that differ and a slow way: how much later than Stripe's minimum a session ends.
const SLACK: TimeDelta = TimeDelta::minutes(1);

/// What a payment page is made of.
#[derive(Clone, Debug)]
pub struct Page {
    pub payment: PaymentRow,
    pub order: OrderRow,
    /// What is paid for.
    pub description: String,
}

/// The pages of these payments that are still to be made. The end of each session is fixed and committed with it, so that
/// Stripe is sent the same by a repeat.
///
/// # Errors
/// The database's.
pub async fn read(conn: &Conn, ids: &[PaymentId], now: DateTime<Utc>) -> Result<HashMap<PaymentId, Page>> {
    model::fix_session_ends(conn, ids, now, SESSION_EXTRA, SLACK).await?;
    let payments = model::to_open(conn, ids).await?;
    let ids: Vec<_> = payments.iter().map(|payment| payment.order_id).collect();
    let (orders, lines) = tokio::try_join!(orders::load_all(conn, &ids), orders::lines_of(conn, &ids))?;
    let orders: HashMap<_, _> = orders.into_iter().map(|order| (order.id, order)).collect();
    let mut titles: HashMap<_, Vec<_>> = HashMap::new();
    for line in lines {
        titles.entry(line.order_id).or_default().push(line.title);
    }
    let page = |payment: PaymentRow| {
        let order = orders.get(&payment.order_id)?.clone();
        let description = titles.get(&order.id).map(|titles| titles.join(", ")).unwrap_or_default();
        Some((payment.id, Page { payment, order, description }))
    };
    Ok(payments.into_iter().filter_map(page).collect())
}

/// [`read`], for the jobs that ask at the same time.
pub fn reading(app: &Arc<App>) -> Read<PaymentId, Page> {
    let app = Arc::clone(app);
    Box::new(move |conn, ids| {
        let now = app.clock.now();
        async move { read(conn, ids, now).await }.boxed()
    })
}
