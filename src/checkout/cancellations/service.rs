//! Cancelling by the buyer. Whether a paid order is cancelled or sent first is decided by its row's lock: one of both
//! happens.

use chrono::{DateTime, Utc};

use super::model;
use super::rules::{self, Cancellable, Sells};
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::claims;
use crate::checkout::gifts::service as gifts;
use crate::checkout::orders::access::OrderBuyer;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow, OrderState};
use crate::checkout::orders::service::{audit_order, close, is_repeat, locale_of, remember};
use crate::checkout::payments::delivery::articles_of;
use crate::checkout::payments::model::{self as payments, PaymentState};
use crate::checkout::payments::service::recipient_of;
use crate::checkout::refunds::rules::Asked;
use crate::checkout::refunds::service::{self as refunds, NewRefund, Tells};
use crate::checkout::shipments::promises;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::messages::mails::{self, Mail};
use crate::shop::products::model::{Article, ProductKind};
use crate::types::id::{AccountId, OrderId, RefundId};

/// The route under which the keys of cancelled orders are kept.
pub const ROUTE: &str = "POST /v1/orders/{id}/cancel";

/// The buyer gives an order up. Of an unpaid one the claims go back at once, its session is expired by a job, and a payment
/// that slips through all the same is sent back. Of a paid one of goods, of which nothing was sent, the claims go back too,
/// and all that was paid.
///
/// # Errors
/// `not_found`, `order_not_pending` for one that is over, `payment_in_progress` while a delayed method runs,
/// `already_shipped`, `not_cancellable`, `idempotency_key_reused`.
pub async fn cancel(app: &App, buyer: OrderBuyer, id: OrderId, key: &str) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some(order) = begin(conn, buyer, id, key).await? else { return Ok(()) };
        match order.state {
            OrderState::PendingPayment => close_pending(conn, id, now).await?,
            OrderState::Paid | OrderState::PartlyRefunded | OrderState::Fulfilled => {
                undo(conn, &order, now).await?;
            }
            OrderState::Cancelled | OrderState::Expired | OrderState::Refunded => {
                return Err(Code::OrderNotPending.because("The order is over already."));
            }
        }
        remember(conn, ROUTE, buyer.keys, key, id, now).await
    })
    .await?;
    app.jobs.wake(Lane::Stripe);
    app.jobs.wake(Lane::Mail);
    Ok(())
}

/// Only an unpaid order is given up: for an account that is erased.
///
/// # Errors
/// As [`cancel`]; `order_not_pending` for a paid one too.
pub async fn give_up(app: &App, account: AccountId, id: OrderId, key: &str) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let buyer = OrderBuyer::signed_in(account);
        let Some(order) = begin(conn, buyer, id, key).await? else { return Ok(()) };
        if order.state != OrderState::PendingPayment {
            return Err(Code::OrderNotPending.error());
        }
        close_pending(conn, id, now).await?;
        remember(conn, ROUTE, account, key, id, now).await
    })
    .await?;
    app.jobs.wake(Lane::Stripe);
    Ok(())
}

/// The buyer's order, locked; none where the same request was done before.
async fn begin(conn: &mut Conn, buyer: OrderBuyer, id: OrderId, key: &str) -> Result<Option<OrderRow>> {
    let order = orders::lock(conn, id).await?;
    if !buyer.owns(&order) {
        return Err(Code::NotFound.error());
    }
    Ok(if is_repeat(conn, ROUTE, buyer.keys, key, id).await? { None } else { Some(order) })
}

async fn close_pending(conn: &mut Conn, id: OrderId, now: DateTime<Utc>) -> Result<()> {
    let live = payments::live_of(conn, id).await?;
    if live.as_ref().is_some_and(|payment| payment.state == PaymentState::Processing) {
        return Err(Code::PaymentInProgress.error());
    }
    close(conn, id, OrderState::Cancelled, now).await?;
    if let Some(payment) = live.filter(|payment| payment.stripe_session_id.is_some()) {
        jobs::enqueue(conn, &Job::CloseCheckout { payment: payment.id }, now, now).await?;
    }
    Ok(())
}

/// A paid order is cancelled: the rest of its money goes back by a refund, and what it had taken goes back on sale.
async fn undo(conn: &mut Conn, order: &OrderRow, now: DateTime<Utc>) -> Result<()> {
    if model::find(conn, order.id).await?.is_some() {
        // Its refund failed since; that is an operator's to mend.
        return Err(Code::NotCancellable.because("The order is cancelled already."));
    }
    let lines = orders::lines_of(conn, &[order.id]).await?;
    let articles = articles_of(conn, &lines).await?;
    let cancellable = |line: &LineRow| Cancellable {
        sells: match line.variant_id.and_then(|id| articles.get(&id)) {
            Some(article) if is_goods(article) => Sells::Goods,
            _ => Sells::DeliveredAtOnce,
        },
        shipped: line.shipped,
        is_refunded: line.is_refunded(),
    };
    rules::may_cancel(&lines.iter().map(cancellable).collect::<Vec<_>>())?;
    claims::lock_of(conn, &[order.id]).await?;
    gifts::lock_accounts(conn, order.id, order.account_id).await?;
    let refund = send_back(conn, order, now).await?;
    model::insert(conn, order.id, refund, now).await?;
    for line in lines.iter().filter(|line| !line.is_refunded()) {
        refunds::give_back(conn, now, order.id, line).await?;
    }
    refunds::give_back_whole(conn, order.id, now).await?;
    promises::review(conn, order.id, now).await
}

/// All that is left of the order's money. Where nothing is, the order ends all the same, and a mail says so.
async fn send_back(conn: &mut Conn, order: &OrderRow, now: DateTime<Utc>) -> Result<Option<RefundId>> {
    let actor = Actor::Account(order.account_id);
    let reason = locale_of(order).pick("买家取消订单", "Cancelled by the buyer");
    if order.refunded_minor < order.total_minor {
        let new = NewRefund {
            order: order.id,
            asked: Asked::Full,
            reason: reason.to_owned(),
            // Its lines are given back whether money was paid for them or not.
            restock: false,
            into_credit: false,
            cause: format!("cancelled:{}", order.id),
            tells: Tells::Cancellation,
        };
        return Ok(Some(refunds::enter(conn, now, actor, order, &new).await?));
    }
    orders::set_state(conn, order.id, OrderState::Refunded, now).await?;
    let mail = Mail::OrderCancelled {
        order_number: order.number.clone(),
        amount_minor: 0,
        credit_minor: 0,
        points: 0,
        currency: order.currency.clone(),
    };
    mails::queue(conn, now, &recipient_of(order), &format!("cancelled:{}", order.id), &mail).await?;
    audit_order(conn, now, actor, "order.cancel", order.id, reason, serde_json::json!({})).await?;
    Ok(None)
}

/// Goes into parcels, all of it.
fn is_goods(article: &Article) -> bool {
    match article.product.kind {
        ProductKind::Goods => true,
        ProductKind::Digital => false,
        ProductKind::Bundle => article.parts.iter().all(|part| part.kind == ProductKind::Goods),
    }
}
