//! Another attempt to pay an order, and the look at one that its buyer waits for.

use chrono::{DateTime, TimeDelta, Utc};
use kindred_stripe::Method;

use super::delivery::articles_of;
use super::model::{self, NewPayment, PaymentRow, PaymentState};
use crate::app::App;
use crate::checkout::orders::access::OrderBuyer;
use crate::checkout::orders::model::{self as orders, OrderRow, OrderState};
use crate::checkout::orders::rows::method_names;
use crate::checkout::orders::service as ordering;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::membership::plans::model as plans;
use crate::ports::clock::machine_now;
use crate::promotion::coupons::uses;
use crate::types::id::{OrderId, PaymentId};

/// The route under which the keys of new attempts are kept.
const ATTEMPT_ROUTE: &str = "POST /v1/orders/{id}/payments";

/// A new attempt on a pending order, under the hold that it has: after a failed one, or instead of one that is open, whose
/// page is closed.
///
/// # Errors
/// `not_found`, `order_not_pending`, `payment_in_progress` while money is on its way, `method_not_offered`.
pub async fn try_again(
    app: &App,
    buyer: OrderBuyer,
    id: OrderId,
    key: &str,
    method: Option<&str>,
) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let order = orders::lock(conn, id).await?;
        if !buyer.owns(&order) {
            return Err(Code::NotFound.error());
        }
        if ordering::is_repeat(conn, ATTEMPT_ROUTE, buyer.keys, key, id).await? {
            return Ok(());
        }
        let last = model::latest_of(conn, &[id]).await?.pop().ok_or(Code::OrderNotPending)?;
        if order.state != OrderState::PendingPayment || last.state == PaymentState::NotNeeded {
            return Err(Code::OrderNotPending.error());
        }
        let methods = offered_methods(conn, id, method).await?;
        match last.state {
            PaymentState::Preparing | PaymentState::Processing => return Err(Code::PaymentInProgress.error()),
            PaymentState::Ready => {
                model::set_state(conn, last.id, PaymentState::Expired, None, now).await?;
                jobs::enqueue(conn, &Job::CloseCheckout { payment: last.id }, now, now).await?;
            }
            _ => {}
        }
        attempt_again(conn, &order, &last, methods, now).await?;
        ordering::remember(conn, ATTEMPT_ROUTE, buyer.keys, key, id, now).await
    })
    .await?;
    app.jobs.wake(Lane::Stripe);
    Ok(())
}

async fn attempt_again(
    conn: &mut Conn,
    order: &OrderRow,
    last: &PaymentRow,
    methods: String,
    now: DateTime<Utc>,
) -> Result<()> {
    let payment = PaymentId::new();
    let row = NewPayment {
        id: payment,
        order_id: order.id,
        attempt: last.attempt + 1,
        state: PaymentState::Preparing,
        amount_minor: order.due_minor,
        currency: order.currency.clone(),
        methods,
        saves_card: last.saves_card,
        expires_at: last.expires_at,
        created_at: now,
    };
    NewPayment::insert(&mut &*conn, vec![row]).await?;
    jobs::enqueue(conn, &Job::OpenCheckout { payment }, now, now).await?;
    Ok(())
}

/// A page for a pending order whose last attempt is over; one that has a page, or whose money is on its way, stays as it is.
///
/// # Errors
/// The database's.
pub async fn reopen(app: &App, id: OrderId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let order = orders::lock(conn, id).await?;
        let last = model::latest_of(conn, &[id]).await?.pop().ok_or(Code::OrderNotPending)?;
        if order.state != OrderState::PendingPayment || last.state.is_live() {
            return Ok(());
        }
        let methods = offered_methods(conn, id, None).await?;
        attempt_again(conn, &order, &last, methods, now).await
    })
    .await?;
    app.jobs.wake(Lane::Stripe);
    Ok(())
}

/// The methods that pay every line of the order, and that its coupons allow; or the one of them that is wanted.
async fn offered_methods(conn: &mut Conn, id: OrderId, wanted: Option<&str>) -> Result<String> {
    let lines = orders::lines_of(conn, &[id]).await?;
    let plans: Vec<_> = lines.iter().filter_map(|line| line.plan_id).collect();
    let plans = plans::load(conn, &plans).await?;
    let articles = articles_of(conn, &lines).await?;
    let of_lines = plans
        .iter()
        .map(|plan| &plan.payment_methods)
        .chain(articles.values().map(|article| &article.product.payment_methods));
    let mut methods = Method::ALL.to_vec();
    of_lines.for_each(|others| methods.retain(|method| others.contains(method)));
    for names in uses::methods_of(conn, id).await? {
        methods.retain(|method| names.iter().any(|name| name == method.as_str()));
    }
    match wanted {
        None => Ok(method_names(&methods)),
        Some(name) => methods
            .iter()
            .find(|method| method.as_str() == name)
            .map(|method| method.as_str().to_owned())
            .ok_or_else(|| Code::MethodNotOffered.at("method", "not a method of this order")),
    }
}

/// Between two looks at Stripe because buyers wait for the same payment.
const ASK_EVERY: TimeDelta = TimeDelta::seconds(5);

/// A buyer has come back and waits: queues a look at how his payment stands.
///
/// # Errors
/// The database's.
pub async fn ask_soon(app: &App, id: OrderId) -> Result<()> {
    let now = app.clock.now();
    let is_due = db::transaction(&app.pool, async |conn| {
        let Some(payment) = model::live_of(conn, id).await? else { return Ok(false) };
        let is_due = model::claim_check(conn, payment.id, machine_now(), ASK_EVERY).await?;
        if is_due {
            jobs::enqueue(conn, &Job::CheckPayment { payment: payment.id }, now, now).await?;
        }
        Ok(is_due)
    })
    .await?;
    if is_due {
        app.jobs.wake(Lane::Stripe);
    }
    Ok(())
}
