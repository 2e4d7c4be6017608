//! Charging a saved card while its owner isn't there. Which card is asked is committed before Stripe is called, and a repeat
//! asks the same with the same key; after the life of Stripe's keys it looks first whether Stripe has the charge already.

use chrono::{DateTime, TimeDelta, Utc};
use kindred_stripe::{CallError, Intent, IntentStatus, NewCharge};

use super::delivery::DeliveryTerms;
use super::jobs::stripe_failure;
use super::model::{self, Capture, ChargeRow, PaymentRow, PaymentState};
use super::service;
use crate::app::App;
use crate::checkout::orders::model::{self as orders, OrderRow, OrderState};
use crate::checkout::orders::service as ordering;
use crate::checkout::renewals;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{Lane, Outcome};
use crate::membership::renewals::rules::{NO_CARD, NO_CUSTOMER};
use crate::people::accounts::model as accounts;
use crate::types::id::PaymentId;

/// Stripe keeps a key for a day at least. After that a repeat would be a second charge.
const KEY_LIFE: TimeDelta = TimeDelta::hours(23);
/// A 500 is replayed under its key: after that long a new one is taken, unless Stripe has the charge.
const REPLAY_PATIENCE: TimeDelta = TimeDelta::minutes(10);
/// Clocks differ: a charge is looked for from before it was asked for.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(1);

/// Asks for the money: the job `charge_card`.
///
/// # Errors
/// When Stripe's answer is unknown: it runs again, and the order waits.
pub async fn run(app: &App, id: PaymentId) -> Result<Outcome> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::load(&mut conn, id).await?;
    let Some(charge) = model::charge_of(&mut conn, id).await? else { return Ok(Outcome::Done) };
    if row.state != PaymentState::Preparing {
        return Ok(Outcome::Done);
    }
    let order = orders::load(&mut conn, row.order_id).await?;
    let customer = match accounts::load_buyer(&mut conn, order.account_id).await {
        Ok(buyer) => buyer.stripe_customer_id,
        Err(error) if error.code == Code::Unauthenticated => None,
        Err(error) => return Err(error),
    };
    drop(conn);
    let Some(customer) = customer else { return refuse(app, id, NO_CUSTOMER).await };
    if charge.called_at.is_none() && call_off(app, id).await? {
        return Ok(Outcome::Done);
    }
    if let Some(called_at) = charge.called_at {
        let waited = app.clock.now() - called_at;
        if waited >= REPLAY_PATIENCE
            && let Some(known) = find(app, id, &customer, called_at).await?
        {
            apply(app, id, &known).await?;
            return Ok(Outcome::Done);
        }
        if waited >= KEY_LIFE {
            anew(app, id, &customer, &charge).await?;
        }
    } else if !choose(app, id, &customer, None).await? {
        return refuse(app, id, NO_CARD).await;
    }
    ask(app, id, &order, &customer).await
}

/// Before Stripe is asked the first time: where the member has stopped it meanwhile, or nothing is to be renewed any more, the
/// order ends without a word. True where it has ended.
async fn call_off(app: &App, id: PaymentId) -> Result<bool> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let row = model::load(conn, id).await?;
        let order = orders::lock(conn, row.order_id).await?;
        let is_pending = order.state == OrderState::PendingPayment;
        if is_pending && renewals::service::is_due(conn, &order, now).await? {
            return Ok(false);
        }
        if is_pending {
            ordering::close(conn, order.id, OrderState::Expired, now).await?;
        }
        Ok(true)
    })
    .await
}

/// Chooses the card that is asked: the customer's default, the one that was asked before, or the newest. False where there
/// is none.
async fn choose(app: &App, id: PaymentId, customer: &str, before: Option<&str>) -> Result<bool> {
    let cards = app.stripe()?.cards_of(customer).await.map_err(stripe_failure)?;
    let card = cards
        .iter()
        .find(|card| card.is_default)
        .or_else(|| cards.iter().find(|card| before == Some(card.id.as_str())))
        .or_else(|| cards.first());
    let Some(card) = card else { return Ok(false) };
    model::fix_card(&mut *db::connect(&app.pool).await?, id, &card.id, app.clock.now()).await?;
    Ok(true)
}

/// Stripe has forgotten the key, and has no such charge: it is asked for with another one.
async fn anew(app: &App, id: PaymentId, customer: &str, charge: &ChargeRow) -> Result<()> {
    model::next_call(&mut *db::connect(&app.pool).await?, id).await?;
    choose(app, id, customer, charge.stripe_payment_method_id.as_deref()).await?;
    Ok(())
}

async fn ask(app: &App, id: PaymentId, order: &OrderRow, customer: &str) -> Result<Outcome> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::load(&mut conn, id).await?;
    let card = model::charge_of(&mut conn, id).await?.and_then(|charge| charge.stripe_payment_method_id);
    let lines = orders::lines_of(&conn, &[order.id]).await?;
    drop(conn);
    let Some(card) = card else { return refuse(app, id, NO_CARD).await };
    if row.state != PaymentState::Preparing {
        return Ok(Outcome::Done);
    }
    let new = NewCharge {
        order_id: order.id.to_string(),
        payment_id: id.to_string(),
        order_number: order.number.clone(),
        amount_minor: row.amount_minor,
        currency: row.currency.clone(),
        description: lines.into_iter().map(|line| line.title).collect::<Vec<_>>().join(", "),
        customer: customer.to_owned(),
        payment_method: card,
    };
    let key = format!("charge:{}:{}:{}", order.id, row.attempt, row.call_attempt);
    match app.stripe()?.charge_saved_card(&key, &new).await {
        Ok(intent) => {
            apply(app, id, &intent).await?;
            Ok(Outcome::Done)
        }
        Err(error @ CallError::OutcomeUnknown { status: Some(500), .. }) => {
            let called_at = charged_since(app, id).await?;
            if called_at.is_some_and(|at| app.clock.now() - at >= REPLAY_PATIENCE) {
                // It was looked for before this call and isn't there.
                model::next_call(&mut *db::connect(&app.pool).await?, id).await?;
            }
            Err(stripe_failure(error))
        }
        Err(CallError::Refused { status, code, kind, .. }) if !matches!(status, 401 | 403) => {
            tracing::warn!(payment = %id, status, code, kind, "Stripe refuses to charge a saved card");
            let is_gone = code.as_deref().is_some_and(|code| {
                code.starts_with("resource_missing") || code.starts_with("payment_method")
            });
            refuse(app, id, if is_gone { NO_CARD } else { code.as_deref().unwrap_or(&kind) }).await
        }
        Err(CallError::NotFound) => refuse(app, id, NO_CARD).await,
        Err(error) => Err(stripe_failure(error)),
    }
}

async fn charged_since(app: &App, id: PaymentId) -> Result<Option<DateTime<Utc>>> {
    let charge = model::charge_of(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(charge.and_then(|charge| charge.called_at))
}

/// The charge, if Stripe has it.
async fn find(app: &App, id: PaymentId, customer: &str, called_at: DateTime<Utc>) -> Result<Option<Intent>> {
    let from = (called_at - CLOCKS_DIFFER).timestamp();
    let known = app.stripe()?.intents_of(customer, from).await.map_err(stripe_failure)?;
    let own = id.to_string();
    Ok(known.into_iter().find(|intent| intent.payment_id.as_deref() == Some(own.as_str())))
}

/// Is a payment the charge of a saved card?
///
/// # Errors
/// The database's.
pub async fn is_one(app: &App, id: PaymentId) -> Result<bool> {
    Ok(model::charge_of(&mut *db::connect(&app.pool).await?, id).await?.is_some())
}

/// Fetches an intent's present state and applies it to its payment.
///
/// # Errors
/// When Stripe's answer is unknown.
pub async fn look(app: &App, id: PaymentId, intent: &str) -> Result<()> {
    let intent = app.stripe()?.intent(intent).await.map_err(stripe_failure)?;
    apply(app, id, &intent).await
}

/// Applies an intent's state in a transaction of its own and wakes what that queued.
async fn apply(app: &App, id: PaymentId, intent: &Intent) -> Result<()> {
    if intent.status == IntentStatus::RequiresAction {
        // Nobody is there to act on it, and nobody may later.
        let key = format!("cancel:{}", intent.id);
        app.stripe()?.cancel_intent(&key, &intent.id).await.map_err(stripe_failure)?;
    }
    let terms = DeliveryTerms::of(&app.settings);
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let row = model::load(conn, id).await?;
        let order = orders::lock(conn, row.order_id).await?;
        let row = model::load(conn, id).await?;
        match intent.status {
            IntentStatus::Succeeded => {
                let capture = capture_of(intent);
                service::settle(conn, terms, now, &order, &row, &capture).await
            }
            // A second one of a charge that has brought its money: where that comes too it goes back.
            IntentStatus::Processing if row.captured_minor > 0 => Ok(()),
            IntentStatus::Processing => {
                model::store_intent(conn, id, &intent.id).await?;
                service::wait_for_money(conn, now, &row).await
            }
            IntentStatus::RequiresPaymentMethod | IntentStatus::RequiresAction | IntentStatus::Canceled => {
                let code = intent.failure_code.as_deref().unwrap_or("authentication_required");
                fail(conn, now, &order, &row, code).await
            }
            IntentStatus::Unknown => Err(AppError::internal("a charge stands as nothing that is known")),
        }
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    app.jobs.wake(Lane::Stripe);
    Ok(())
}

fn capture_of(intent: &Intent) -> Capture {
    Capture {
        amount_minor: intent.amount_minor,
        currency: intent.currency.clone(),
        intent: Some(intent.id.clone()),
        charge: intent.latest_charge.clone(),
        card_fingerprint: intent.card_fingerprint.clone(),
        method: intent.method_used.clone(),
        saved_method: intent.payment_method.clone(),
    }
}

/// Nothing was charged, and nothing will be by this order: it ends, and its renewal says what comes next.
async fn fail(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    row: &PaymentRow,
    code: &str,
) -> Result<()> {
    if !row.state.is_live() {
        return Ok(());
    }
    model::set_state(conn, row.id, PaymentState::Failed, Some(code), now).await?;
    if order.state != OrderState::PendingPayment {
        return Ok(());
    }
    ordering::close(conn, order.id, OrderState::Expired, now).await?;
    renewals::service::charge_failed(conn, order, code, now).await
}

/// The job has failed for the last time. What Stripe was never asked for ends; the rest is an operator's.
///
/// # Errors
/// The database's.
pub async fn give_up(conn: &mut Conn, now: DateTime<Utc>, id: PaymentId) -> Result<()> {
    let row = model::load(conn, id).await?;
    let order = orders::lock(conn, row.order_id).await?;
    match model::charge_of(conn, id).await? {
        Some(charge) if charge.called_at.is_none() => fail(conn, now, &order, &row, "unavailable").await,
        _ => Ok(()),
    }
}

async fn refuse(app: &App, id: PaymentId, code: &str) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let row = model::load(conn, id).await?;
        let order = orders::lock(conn, row.order_id).await?;
        let row = model::load(conn, id).await?;
        fail(conn, now, &order, &row, code).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}
