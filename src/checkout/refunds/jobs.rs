//! The job that asks Stripe for a refund.

use kindred_stripe::{CallError, NewRefund};

use super::model::{self, RefundState};
use super::service;
use crate::app::App;
use crate::checkout::orders::model as orders;
use crate::checkout::payments::jobs::stripe_failure;
use crate::checkout::payments::model as payments;
use crate::db;
use crate::error::{AppError, Result};
use crate::jobs::Outcome;
use crate::types::id::RefundId;

/// Sends a queued refund, under a key made from its id: however often this runs, Stripe pays once.
///
/// # Errors
/// When Stripe's answer is unknown: the job runs again with the same key.
pub async fn send(app: &App, id: RefundId) -> Result<Outcome> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::load(&mut conn, id).await?;
    if row.state != RefundState::Queued {
        return Ok(Outcome::Done);
    }
    let payment = row.payment_id.ok_or_else(|| AppError::internal("a queued refund without a payment"))?;
    let payment = payments::load(&mut conn, payment).await?;
    drop(conn);
    let intent = payment
        .stripe_payment_intent_id
        .clone()
        .ok_or_else(|| AppError::internal("a captured payment without an intent"))?;
    let new = NewRefund {
        payment_intent: intent.clone(),
        amount_minor: row.amount_minor,
        refund_id: row.id.to_string(),
        order_id: row.order_id.to_string(),
        reason: None,
    };
    let key = format!("refund:{}:{}", row.id, row.call_attempt);
    let stripe = app.stripe()?;
    let refund = match stripe.create_refund(&key, &new).await {
        Ok(refund) => refund,
        Err(error @ CallError::OutcomeUnknown { status: Some(500), .. }) => {
            // Stripe replays a 500 under its key: look whether it was done, else ask anew.
            let done = stripe.refunds_of(&intent).await.map_err(stripe_failure)?;
            match done.into_iter().find(|refund| refund.refund_id.as_deref() == Some(&new.refund_id)) {
                Some(refund) => refund,
                None => {
                    model::next_call(&mut *db::connect(&app.pool).await?, id).await?;
                    return Err(stripe_failure(error));
                }
            }
        }
        Err(CallError::Refused { code, status, kind, .. }) if !matches!(status, 401 | 403) => {
            let why = code.unwrap_or(kind);
            db::transaction(&app.pool, async |conn| {
                orders::lock(conn, row.order_id).await?;
                service::fail(conn, app.clock.now(), &row, None, Some(&why)).await
            })
            .await?;
            return Ok(Outcome::Done);
        }
        Err(error) => return Err(stripe_failure(error)),
    };
    db::transaction(&app.pool, async |conn| service::apply(conn, app.clock.now(), &payment, &refund).await)
        .await?;
    Ok(Outcome::Done)
}
