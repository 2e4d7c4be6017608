//! Stripe's events: kept raw, answered at once, applied by a job that asks Stripe for the present state, so that twice,
//! late and out of order make no difference.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use kindred_stripe::{Event, ObjectRef, webhook};
use secrecy::ExposeSecret;

use super::events::{self, EventState, RawEvent};
use super::jobs::{apply_session, stripe_failure};
use super::model::{self, PaymentRow, StripeRefs};
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

/// Whose an event is.
#[derive(Clone, Debug)]
enum Owner {
    Payment(Box<PaymentRow>),
    /// It carries our metadata, or belongs to an intent that may become known, but no row is there.
    NotYet,
    /// Neither a stored id nor our metadata.
    Another,
}

/// An event that is to be applied.
#[derive(Clone, Debug)]
pub struct Waiting {
    received_at: DateTime<Utc>,
    /// None where it can't be read.
    event: Option<(Owner, ObjectRef)>,
}

/// Those of these events that are still to be applied, found for the jobs that ask at the same time.
pub fn waiting<'a>(conn: &'a mut Conn, ids: &'a [String]) -> BoxFuture<'a, Result<HashMap<String, Waiting>>> {
    find(conn, ids).boxed()
}

async fn find(conn: &Conn, ids: &[String]) -> Result<HashMap<String, Waiting>> {
    let mut kept = events::load_all(conn, ids).await?;
    kept.retain(|event| matches!(event.state, EventState::Received | EventState::Parked));
    let objects: Vec<_> =
        kept.iter().map(|kept| webhook::read(&kept.payload).map(|event| event.object)).collect();
    let owners = Owners::find(conn, objects.iter().flatten()).await?;
    let waiting = kept.into_iter().zip(objects).map(|(kept, object)| {
        let event = object.map(|object| (owners.of(&object), object));
        (kept.id, Waiting { received_at: kept.received_at, event })
    });
    Ok(waiting.collect())
}

/// The payments that some objects of Stripe's are about.
struct Owners(Vec<PaymentRow>);

impl Owners {
    async fn find(conn: &Conn, objects: impl Iterator<Item = &ObjectRef>) -> Result<Self> {
        let mut by = StripeRefs::default();
        for object in objects {
            by.sessions.extend(session_of(object));
            by.intents.extend(intent_of(object));
            by.payments.extend(payment_of(object));
        }
        Ok(Self(model::find_all(conn, &by).await?))
    }

    /// By the session, else by the intent, else by our metadata.
    fn of(&self, object: &ObjectRef) -> Owner {
        let first = |is_it: &dyn Fn(&PaymentRow) -> bool| self.0.iter().find(|row| is_it(row));
        let by_session =
            session_of(object).and_then(|id| first(&|row| row.stripe_session_id.as_deref() == Some(id)));
        let by_intent = || {
            intent_of(object).and_then(|id| first(&|row| row.stripe_payment_intent_id.as_deref() == Some(id)))
        };
        let named = payment_of(object);
        let by_name = || named.and_then(|id| first(&|row| row.id == id));
        match by_session.or_else(by_intent).or_else(by_name) {
            Some(row) => Owner::Payment(Box::new(row.clone())),
            None if named.is_some() || object.order_id.is_some() || object.refund_id.is_some() => {
                Owner::NotYet
            }
            None => Owner::Another,
        }
    }
}

fn session_of(object: &ObjectRef) -> Option<&str> {
    Some(object.id.as_str()).filter(|_| object.kind == "checkout.session")
}

fn intent_of(object: &ObjectRef) -> Option<&str> {
    if object.kind == "payment_intent" { Some(&object.id) } else { object.payment_intent.as_deref() }
}

fn payment_of(object: &ObjectRef) -> Option<PaymentId> {
    object.payment_id.as_deref()?.parse().ok()
}

/// Applies a kept event: the job `apply_event`.
///
/// # Errors
/// When Stripe's answer is unknown.
pub async fn apply_event(app: &App, id: &str) -> Result<Outcome> {
    let Some(Waiting { received_at, event }) = app.found_events.load(id.to_owned()).await? else {
        return Ok(Outcome::Done);
    };
    let now = app.clock.now();
    let state = match event {
        Some((Owner::Payment(payment), object)) => {
            apply_object(app, &payment, &object).await?;
            app.applied_events.load((id.to_owned(), payment.id)).await?;
            return Ok(Outcome::Done);
        }
        Some((Owner::NotYet, _)) if now < received_at + PARKED_MAX => EventState::Parked,
        Some((Owner::NotYet | Owner::Another, _)) => EventState::Ignored,
        None => EventState::Unreadable,
    };
    events::set(&mut *db::connect(&app.pool).await?, id, state, now).await?;
    if state == EventState::Parked {
        Ok(Outcome::Again(now + TimeDelta::seconds(30)))
    } else {
        Ok(Outcome::Done)
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
