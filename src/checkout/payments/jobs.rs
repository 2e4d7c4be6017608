//! The jobs that talk to Stripe about payments. Each commits what it will ask before it asks, and applies what Stripe says
//! with [`service::apply`]; while an answer is unknown nothing is released.

use kindred_stripe::{CallError, Checkout, Method, NewCheckout, NewCustomer};
use uuid::Uuid;

use super::charges;
use super::delivery::DeliveryTerms;
use super::model::{self, PaymentRow, PaymentState};
use super::opening::Page;
use super::service;
use super::settling::Told;
use crate::app::App;
use crate::checkout::orders::model::{self as orders, OrderRow, OrderState};
use crate::checkout::orders::service as ordering;
use crate::checkout::renewals;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{Lane, Outcome};
use crate::messages::mails::{self, Mail};
use crate::people::accounts::model as accounts;
use crate::types::id::{OrderId, PaymentId};
use crate::types::locale::Locale;

/// A call that Stripe didn't answer with what was asked for.
pub fn stripe_failure(error: CallError) -> AppError {
    AppError::internal(error)
}

/// Applies a session, with others where it is plain, and wakes what that queued.
///
/// # Errors
/// The database's.
pub async fn apply_session(app: &App, payment: PaymentId, session: &Checkout) -> Result<()> {
    let terms = DeliveryTerms::of(&app.settings);
    let told = Told { payment, session: session.clone() };
    if !told.may_be_plain() || !app.settler.apply(told.clone()).await? {
        db::transaction(&app.pool, async |conn| service::apply(conn, terms, app.clock.now(), &told).await)
            .await?;
    }
    app.jobs.wake(Lane::Mail);
    app.jobs.wake(Lane::Stripe);
    Ok(())
}

/// Makes the payment page: the job `open_checkout`.
///
/// # Errors
/// When Stripe's answer is unknown: it runs again with the same key and body.
pub async fn open_checkout(app: &App, id: PaymentId) -> Result<Outcome> {
    let Some(Page { payment: row, order, description }) = app.pages.load(id).await? else {
        return Ok(Outcome::Done);
    };
    let customer = customer_of(app, &row, &order).await?;
    let new = new_checkout(&row, &order, customer, description)?;
    let key = format!("checkout:{}:{}:{}", order.id, row.attempt, row.call_attempt);
    match app.stripe()?.create_checkout(&key, &new).await {
        Ok(session) => {
            apply_session(app, id, &session).await?;
            close_unwanted(app, id).await?;
            Ok(Outcome::Done)
        }
        Err(error @ CallError::OutcomeUnknown { status: Some(500), .. }) => {
            // Stripe replays a 500 under its key. A session that it may have made all the same has a URL nobody knows.
            model::next_call(&mut *db::connect(&app.pool).await?, id).await?;
            Err(stripe_failure(error))
        }
        Err(CallError::Refused { status, code, kind, .. }) if !matches!(status, 401 | 403) => {
            tracing::error!(payment = %id, status, code, kind, "Stripe refuses to make a payment page");
            refuse(app, id, &code.unwrap_or(kind)).await?;
            Ok(Outcome::Done)
        }
        Err(error) => Err(stripe_failure(error)),
    }
}

/// Who pays a plan that renews by card has a customer at Stripe, made once an account.
async fn customer_of(app: &App, row: &PaymentRow, order: &OrderRow) -> Result<Option<String>> {
    if !row.saves_card {
        return Ok(None);
    }
    let buyer = accounts::load_buyer(&mut *db::connect(&app.pool).await?, order.account_id).await?;
    if let Some(customer) = buyer.stripe_customer_id {
        return Ok(Some(customer));
    }
    let new = NewCustomer {
        account_id: order.account_id.to_string(),
        email: Some(order.email.clone()),
        name: buyer.name,
    };
    let key = format!("customer:{}:{}", row.id, row.call_attempt);
    let made = app.stripe()?.create_customer(&key, &new).await;
    let mut conn = db::connect(&app.pool).await?;
    if let Err(CallError::OutcomeUnknown { status: Some(500), .. }) = made {
        // Replayed under its key; a customer that it may have made all the same stays empty.
        model::next_call(&mut conn, row.id).await?;
    }
    let customer = made.map_err(stripe_failure)?;
    accounts::set_stripe_customer(&mut conn, order.account_id, &customer).await?;
    Ok(Some(customer))
}

fn new_checkout(
    row: &PaymentRow,
    order: &OrderRow,
    customer: Option<String>,
    description: String,
) -> Result<NewCheckout> {
    let expires_at =
        row.session_expires_at.ok_or_else(|| AppError::internal("the session's end isn't fixed"))?;
    Ok(NewCheckout {
        order_id: order.id.to_string(),
        payment_id: row.id.to_string(),
        order_number: order.number.clone(),
        amount_minor: row.amount_minor,
        currency: row.currency.clone(),
        description,
        methods: row.methods.iter().filter_map(|name| Method::parse(name)).collect(),
        success_url: order.success_url.clone(),
        cancel_url: order.cancel_url.clone(),
        expires_at: expires_at.timestamp(),
        customer,
        customer_email: Some(order.email.clone()),
        save_card: row.saves_card,
        locale: Some(Locale::from_stored(&order.locale).as_str().to_owned()),
    })
}

/// The order may have ended while its page was being made.
async fn close_unwanted(app: &App, id: PaymentId) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::load(&mut conn, id).await?;
    if row.state == PaymentState::Expired {
        drop(conn);
        close_checkout(app, id).await?;
    }
    Ok(())
}

async fn refuse(app: &App, id: PaymentId, code: &str) -> Result<()> {
    db::transaction(&app.pool, async |conn| service::fail_attempt(conn, app.clock.now(), id, code).await)
        .await
}

/// Expires a session that must not be paid any more: the job `close_checkout`. One that was paid all the same is settled,
/// which sends the money back.
///
/// # Errors
/// When Stripe's answer is unknown.
pub async fn close_checkout(app: &App, id: PaymentId) -> Result<Outcome> {
    let row = model::load(&mut *db::connect(&app.pool).await?, id).await?;
    let Some(session) = row.stripe_session_id.as_deref() else { return Ok(Outcome::Done) };
    let stripe = app.stripe()?;
    // A key a run: Stripe replays a 500 under its key for a day, and expiring twice does no more than once.
    let key = format!("expire:{id}:{}", Uuid::now_v7());
    let session = match stripe.expire_checkout(&key, session).await {
        Ok(session) => session,
        Err(CallError::Refused { status, .. }) if !matches!(status, 401 | 403) => {
            stripe.checkout(session).await.map_err(stripe_failure)?
        }
        Err(error) => return Err(stripe_failure(error)),
    };
    apply_session(app, id, &session).await?;
    Ok(Outcome::Done)
}

/// The end of an order's hold: the session is expired at Stripe first, and only then what was held is given back; or the
/// sale is honoured, if it was paid meanwhile. The job `end_hold`.
///
/// # Errors
/// When Stripe's answer is unknown: the hold stays.
pub async fn end_hold(app: &App, id: OrderId) -> Result<Outcome> {
    let mut conn = db::connect(&app.pool).await?;
    let order = orders::load(&mut conn, id).await?;
    let payment = model::latest_of(&conn, &[id]).await?.pop();
    drop(conn);
    let now = app.clock.now();
    let Some(payment) = payment.filter(|_| order.state == OrderState::PendingPayment) else {
        return Ok(Outcome::Done);
    };
    match payment.state {
        // What is being made or on its way has an end of its own.
        PaymentState::Preparing | PaymentState::Processing => Ok(Outcome::Done),
        _ if payment.expires_at.is_some_and(|end| end > now) => Ok(Outcome::Done),
        PaymentState::Ready => close_checkout(app, payment.id).await,
        _ => {
            close_if_pending(app, id).await?;
            Ok(Outcome::Done)
        }
    }
}

async fn close_if_pending(app: &App, id: OrderId) -> Result<()> {
    db::transaction(&app.pool, async |conn| {
        let order = orders::lock(conn, id).await?;
        let live = model::live_of(conn, id).await?;
        if order.state == OrderState::PendingPayment && live.is_none() {
            ordering::close(conn, id, OrderState::Expired, app.clock.now()).await?;
        }
        Ok(())
    })
    .await
}

/// A delayed method has had its three days: the job `end_processing`.
///
/// # Errors
/// When Stripe's answer is unknown: the hold stays.
pub async fn end_processing(app: &App, id: PaymentId) -> Result<Outcome> {
    check_payment(app, id).await?;
    db::transaction(&app.pool, async |conn| {
        let row = model::load(conn, id).await?;
        let order = orders::lock(conn, row.order_id).await?;
        let row = model::load(conn, id).await?;
        if row.state == PaymentState::Processing && order.state == OrderState::PendingPayment {
            let now = app.clock.now();
            ordering::close(conn, order.id, OrderState::Expired, now).await?;
            if model::charge_of(conn, id).await?.is_some() {
                renewals::service::charge_failed(conn, &order, "processing_error", now).await?;
            }
        }
        Ok(())
    })
    .await?;
    Ok(Outcome::Done)
}

/// Asks Stripe how a payment stands: the job `check_payment`, for a buyer who has come back and waits.
///
/// # Errors
/// When Stripe's answer is unknown.
pub async fn check_payment(app: &App, id: PaymentId) -> Result<Outcome> {
    let row = model::load(&mut *db::connect(&app.pool).await?, id).await?;
    if let (None, Some(intent)) = (&row.stripe_session_id, &row.stripe_payment_intent_id) {
        charges::look(app, id, intent).await?;
        return Ok(Outcome::Done);
    }
    let Some(session) = row.stripe_session_id.as_deref() else { return Ok(Outcome::Done) };
    match app.stripe()?.checkout(session).await {
        Ok(session) => apply_session(app, id, &session).await?,
        Err(error) => return Err(stripe_failure(error)),
    }
    Ok(Outcome::Done)
}

/// Delivers an order of which nothing is due: the job `settle_free`.
///
/// # Errors
/// The database's.
pub async fn settle_free(app: &App, id: OrderId) -> Result<Outcome> {
    let terms = DeliveryTerms::of(&app.settings);
    db::transaction(&app.pool, async |conn| service::settle_free(conn, terms, app.clock.now(), id).await)
        .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

/// Tells the buyer that his hold is about to run out: the job `warn_hold`.
///
/// # Errors
/// The database's.
pub async fn warn_hold(app: &App, id: PaymentId) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let order = model::load(conn, id).await?.order_id;
        let order = orders::lock(conn, order).await?;
        let row = model::load(conn, id).await?;
        let is_open = order.state == OrderState::PendingPayment && row.state == PaymentState::Ready;
        let (Some(url), Some(expires_at)) = (row.url, row.expires_at.filter(|end| is_open && *end > now))
        else {
            return Ok(());
        };
        let mail = Mail::HoldEnding { order_number: order.number.clone(), url, expires_at };
        mails::queue(conn, now, &service::recipient_of(&order), &format!("hold_ending:{id}"), &mail).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

/// The page could never be made (the job `open_checkout` died): the order ends and its place goes back.
///
/// # Errors
/// The database's.
pub async fn give_up(conn: &mut Conn, now: chrono::DateTime<chrono::Utc>, id: PaymentId) -> Result<()> {
    let row = match model::load(conn, id).await {
        Err(error) if error.code == Code::NotFound => return Ok(()),
        row => row?,
    };
    let order = orders::lock(conn, row.order_id).await?;
    if order.state == OrderState::PendingPayment {
        ordering::close(conn, order.id, OrderState::Expired, now).await?;
    }
    Ok(())
}
