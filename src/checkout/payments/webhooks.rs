//! Stripe's events: kept raw, answered at once, applied by a job that asks Stripe for the present state, so that twice,
//! late and out of order make no difference.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::FutureExt;
use kindred_stripe::{Event, ObjectRef, webhook};
use secrecy::ExposeSecret;

use super::events::{self, EventState, RawEvent};
use super::jobs::{apply_session, stripe_failure};
use super::model::{self, PaymentRow, StripeRef};
use super::{charges, disputes};
use crate::app::App;
use crate::checkout::refunds::service as refunds;
use crate::db::gather::Read;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane, Outcome};
use crate::types::id::PaymentId;

/// Stripe's tolerance for a signature's age, in seconds.
const TOLERANCE_SECONDS: i64 = 300;
/// An event about something that we don't know yet is looked at again for that long.
const PARKED_MAX: TimeDelta = TimeDelta::hours(1);

/// Takes one delivery: checks the signature, keeps the raw event, queues its job. Known ones are taken again as well.
///
/// # Errors
/// `signature_invalid`.
pub async fn receive(app: &App, payload: &[u8], signature: &str) -> Result<()> {
    let stripe = app.settings.stripe.as_ref().ok_or(Code::SignatureInvalid)?;
    let secrets: Vec<&str> = stripe.webhook_secrets.iter().map(|secret| secret.expose_secret()).collect();
    let now = app.clock.now();
    webhook::verify(payload, signature, &secrets, now.timestamp(), TOLERANCE_SECONDS)
        .map_err(|_| Code::SignatureInvalid)?;
    let Some(event) = webhook::read(payload) else {
        return keep_unreadable(app, payload).await;
    };
    keep(app, &event, payload).await
}

/// Authentic, but nothing we can read: kept for an operator, under its own hash.
async fn keep_unreadable(app: &App, payload: &[u8]) -> Result<()> {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(payload).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut conn = db::connect(&app.pool).await?;
    let id = format!("unreadable:{hash}");
    tracing::error!(event = id, "an authentic event can't be read");
    let event = RawEvent { id, kind: String::new(), payload: payload.to_vec() };
    events::keep(&mut conn, &[event], EventState::Unreadable, app.clock.now()).await?;
    Ok(())
}

/// Keeps an event once, together with those that come meanwhile.
///
/// # Errors
/// `busy`; the database's.
pub async fn keep(app: &App, event: &Event, payload: &[u8]) -> Result<()> {
    let event = RawEvent { id: event.id.clone(), kind: event.kind.clone(), payload: payload.to_vec() };
    app.kept_events.load(event).await?;
    app.jobs.wake(Lane::Stripe);
    Ok(())
}

/// Keeps events, with their jobs in the same transaction.
pub fn keeping(app: &Arc<App>) -> Read<RawEvent, ()> {
    let app = Arc::clone(app);
    Box::new(move |conn, events| {
        let now = app.clock.now();
        async move {
            db::transaction_on(conn, async |conn| {
                let kept = events::keep(conn, events, EventState::Received, now).await?;
                let jobs = kept.into_iter().map(|event| (Job::ApplyEvent { event }, now));
                jobs::enqueue_all(conn, &jobs.collect::<Vec<_>>(), now).await.map(|_| ())
            })
            .await?;
            Ok(events.iter().map(|event| (event.clone(), ())).collect())
        }
        .boxed()
    })
}

/// Writes down events that are applied, each with its payment, with one statement for all that ended meanwhile.
pub fn applying(app: &Arc<App>) -> Read<(String, PaymentId), ()> {
    let app = Arc::clone(app);
    Box::new(move |conn, done| {
        let now = app.clock.now();
        async move {
            events::applied(conn, done, now).await?;
            Ok(done.iter().map(|one| (one.clone(), ())).collect())
        }
        .boxed()
    })
}

/// Applies a kept event: the job `apply_event`.
///
/// # Errors
/// When Stripe's answer is unknown.
pub async fn apply_event(app: &App, id: &str) -> Result<Outcome> {
    let mut conn = db::connect(&app.pool).await?;
    let Some((payload, state, received_at)) = events::load(&mut conn, id).await? else {
        return Ok(Outcome::Done);
    };
    if !matches!(state, EventState::Received | EventState::Parked) {
        return Ok(Outcome::Done);
    }
    let Some(event) = webhook::read(&payload) else {
        events::set(&mut conn, id, EventState::Unreadable, app.clock.now()).await?;
        return Ok(Outcome::Done);
    };
    let found = find(&mut conn, &event.object).await?;
    drop(conn);
    let state = match found {
        Found::Payment(payment) => {
            apply_object(app, &payment, &event.object).await?;
            app.applied_events.load((id.to_owned(), payment.id)).await?;
            return Ok(Outcome::Done);
        }
        Found::NotOurs => EventState::Ignored,
        Found::NotYet if app.clock.now() < received_at + PARKED_MAX => EventState::Parked,
        Found::NotYet => EventState::Ignored,
    };
    let now = app.clock.now();
    events::set(&mut *db::connect(&app.pool).await?, id, state, now).await?;
    if state == EventState::Parked {
        Ok(Outcome::Again(now + TimeDelta::seconds(30)))
    } else {
        Ok(Outcome::Done)
    }
}

enum Found {
    Payment(Box<PaymentRow>),
    /// It carries our metadata, or belongs to an intent that may become known, but no row is there.
    NotYet,
    /// Neither a stored id nor our metadata.
    NotOurs,
}

async fn find(conn: &mut Conn, object: &ObjectRef) -> Result<Found> {
    let is_session = object.kind == "checkout.session";
    let intent =
        if object.kind == "payment_intent" { Some(&object.id) } else { object.payment_intent.as_ref() };
    let by_session = match is_session {
        true => model::find(conn, StripeRef::Session(&object.id)).await?,
        false => None,
    };
    let by_intent = match (&by_session, intent) {
        (None, Some(intent)) => model::find(conn, StripeRef::Intent(intent)).await?,
        _ => None,
    };
    if let Some(row) = by_session.or(by_intent) {
        return Ok(Found::Payment(Box::new(row)));
    }
    let Some(named) = object.payment_id.as_deref().and_then(|id| id.parse::<PaymentId>().ok()) else {
        let is_ours = object.order_id.is_some() || object.refund_id.is_some();
        return Ok(if is_ours { Found::NotYet } else { Found::NotOurs });
    };
    match model::load(conn, named).await {
        Ok(row) => Ok(Found::Payment(Box::new(row))),
        Err(error) if error.code == Code::NotFound => Ok(Found::NotYet),
        Err(error) => Err(error),
    }
}

/// Fetches the object's present state and applies it. A session or intent that was paid and captured stays so: what comes
/// after are refunds and disputes, which have events of their own.
async fn apply_object(app: &App, payment: &PaymentRow, object: &ObjectRef) -> Result<()> {
    let is_named = [&payment.stripe_session_id, &payment.stripe_payment_intent_id]
        .into_iter()
        .any(|known| known.as_ref() == Some(&object.id));
    let is_captured = payment.captured_minor > 0 && is_named;
    match object.kind.as_str() {
        "checkout.session" | "payment_intent" if is_captured => Ok(()),
        "refund" | "charge" => apply_refunds(app, payment).await,
        "dispute" => {
            let dispute = app.stripe()?.dispute(&object.id).await.map_err(stripe_failure)?;
            disputes::apply(app, payment, &dispute).await
        }
        "payment_intent" if charges::is_one(app, payment.id).await? => {
            charges::look(app, payment.id, &object.id).await
        }
        _ => {
            let session = match (&payment.stripe_session_id, object.kind.as_str()) {
                (_, "checkout.session") => object.id.clone(),
                (Some(session), _) => session.clone(),
                (None, _) => return Ok(()),
            };
            let session = app.stripe()?.checkout(&session).await.map_err(stripe_failure)?;
            apply_session(app, payment.id, &session).await
        }
    }
}

/// Takes over every refund that Stripe knows of a payment.
///
/// # Errors
/// When Stripe's answer is unknown.
pub async fn apply_refunds(app: &App, payment: &PaymentRow) -> Result<()> {
    let Some(intent) = payment.stripe_payment_intent_id.as_deref() else { return Ok(()) };
    let known = app.stripe()?.refunds_of(intent).await.map_err(stripe_failure)?;
    for refund in &known {
        db::transaction(&app.pool, async |conn| refunds::apply(conn, app.clock.now(), payment, refund).await)
            .await?;
    }
    app.jobs.wake(Lane::Mail);
    Ok(())
}
