//! The reconciler: walks Stripe's recent events and sessions and repairs what a lost webhook left.

use chrono::TimeDelta;
use kindred_stripe::{CheckoutStatus, PaymentStatus};

use super::jobs::{apply_session, stripe_failure};
use super::{model, webhooks};
use crate::app::App;
use crate::db;
use crate::error::{Code, Result};
use crate::jobs::Outcome;
use crate::types::id::PaymentId;

/// How far back events are looked for that were never delivered; Stripe itself gives up after three days.
const EVENTS_BACK: TimeDelta = TimeDelta::days(3);
/// How far back sessions are looked at, whatever the webhooks said.
const SESSIONS_BACK: TimeDelta = TimeDelta::hours(2);
/// Pages of a hundred that one run reads of each list; the next run begins anew.
const PAGES_MAX: usize = 30;

/// The job `reconcile`.
///
/// # Errors
/// When Stripe's answer is unknown: the next run tries again.
pub async fn run(app: &App) -> Result<Outcome> {
    if app.settings.stripe.is_none() {
        return Ok(Outcome::Done);
    }
    walk_events(app).await?;
    walk_sessions(app).await?;
    Ok(Outcome::Done)
}

async fn walk_events(app: &App) -> Result<()> {
    let from = (app.clock.now() - EVENTS_BACK).timestamp();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let page = app.stripe()?.events(from, after.as_deref(), true).await.map_err(stripe_failure)?;
        for event in &page.data {
            // What is kept of it is enough to fetch the object; the payload is ours, so it says where it is from.
            let payload = serde_json::json!({
                "id": event.id, "object": "event", "type": event.kind, "created": event.created,
                "source": "reconciler",
                "data": { "object": {
                    "id": event.object.id, "object": event.object.kind,
                    "payment_intent": event.object.payment_intent,
                    "metadata": {
                        "order_id": event.object.order_id,
                        "payment_id": event.object.payment_id,
                        "refund_id": event.object.refund_id,
                    },
                } },
            });
            webhooks::keep(app, event, payload.to_string().as_bytes()).await?;
        }
        after = page.data.last().map(|event| event.id.clone());
        if !page.has_more || after.is_none() {
            break;
        }
    }
    Ok(())
}

async fn walk_sessions(app: &App) -> Result<()> {
    let from = (app.clock.now() - SESSIONS_BACK).timestamp();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let page = app.stripe()?.checkouts(from, after.as_deref()).await.map_err(stripe_failure)?;
        for session in &page.data {
            let is_paid =
                session.status == CheckoutStatus::Complete && session.payment_status == PaymentStatus::Paid;
            let payment = session.payment_id.as_deref().and_then(|id| id.parse::<PaymentId>().ok());
            if let (true, Some(payment)) = (is_paid, payment) {
                repair(app, payment, &session.id).await?;
            }
        }
        after = page.data.last().map(|session| session.id.clone());
        if !page.has_more || after.is_none() {
            break;
        }
    }
    Ok(())
}

/// A paid session whose payment we haven't captured.
async fn repair(app: &App, payment: PaymentId, session: &str) -> Result<()> {
    let row = match model::load(&mut *db::connect(&app.pool).await?, payment).await {
        Err(error) if error.code == Code::NotFound => return Ok(()),
        row => row?,
    };
    if row.captured_minor > 0 {
        return Ok(());
    }
    tracing::warn!(%payment, "a paid session was settled by the reconciler");
    let session = app.stripe()?.checkout(session).await.map_err(stripe_failure)?;
    apply_session(app, payment, &session).await
}
