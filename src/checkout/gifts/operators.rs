//! What operators do to gift memberships: each with a reason, in the audit log. Money goes back by a refund of the order's line.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{GiftExtension, GiftRenewedCode};
use super::model::{self, GiftRow};
use super::rules::{self, may_redeem};
use super::service::{buyer_of, queue_reminders};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::gift_codes::rules::State;
use crate::checkout::orders::model as orders;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::jobs::{self, Job, Lane};
use crate::types::email::Email;
use crate::types::id::GiftId;

/// Locks a gift for an operator's act, behind its order's row as everybody does.
async fn lock(conn: &mut Conn, id: GiftId) -> Result<GiftRow> {
    let gift = model::load(conn, id).await?;
    let order = model::order_of(conn, gift.line_id).await?;
    orders::lock(conn, order).await?;
    model::lock(conn, id).await
}

/// Takes a gift back that nobody has redeemed, and keeps its money. Twice does no more than once.
///
/// # Errors
/// `not_found`; `gift_redeemed`: a refund of its line ends what it gave; `gift_void` where its order isn't paid.
pub async fn void(app: &App, actor: Actor, id: GiftId, reason: &str) -> Result<GiftRow> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let gift = lock(conn, id).await?;
        match rules::state(&gift, now) {
            State::Redeemed => return Err(Code::GiftRedeemed.error()),
            State::Unpaid => return Err(Code::GiftVoid.because("Its order isn't paid: cancel that.")),
            State::Void => return Ok(gift),
            State::Scheduled | State::Open | State::Held | State::Expired => {}
        }
        model::void(conn, id, now).await?;
        record(conn, actor, "gift.void", id, reason, json!({}), now).await?;
        model::load(conn, id).await
    })
    .await
}

/// Moves the end of a gift that nobody has redeemed, also of one that has expired.
///
/// # Errors
/// `not_found`, `gift_redeemed`, `gift_void`, `gift_held`; `invalid_field` for an end that isn't to come, or before its delivery.
pub async fn extend(app: &App, actor: Actor, id: GiftId, asked: &GiftExtension) -> Result<GiftRow> {
    let now = app.clock.now();
    let reason = fields::reason(&asked.reason)?;
    let expires_at = fields::ahead("expires_at", asked.expires_at, now)?;
    db::transaction(&app.pool, async |conn| {
        let gift = lock(conn, id).await?;
        let state = rules::state(&gift, now);
        if !matches!(state, State::Scheduled | State::Expired) {
            may_redeem(&gift, now)?;
        }
        if expires_at <= gift.deliver_at {
            return Err(Code::InvalidField.at("expires_at", "expected a time after the delivery"));
        }
        model::set_expiry(conn, id, expires_at).await?;
        let gift = model::load(conn, id).await?;
        queue_reminders(conn, &gift, now).await?;
        let detail = json!({ "expires_at": expires_at });
        record(conn, actor, "gift.extend", id, &reason, detail, now).await?;
        Ok(gift)
    })
    .await
}

/// A code was lost or seen by somebody: a new one is mailed, the old one is worth nothing.
///
/// # Errors
/// `not_found`, `gift_redeemed`, `gift_void`, `gift_held`, `gift_expired`, `invalid_field`, `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn replace(
    app: &App,
    actor: Actor,
    id: GiftId,
    asked: &GiftRenewedCode,
    request: &Request,
) -> Result<GiftRow> {
    let now = app.clock.now();
    let reason = fields::reason(&asked.reason)?;
    let gift = db::transaction(&app.pool, async |conn| {
        if idempotency::claim(conn, request, 200, id.0, now).await? != Claim::First {
            return model::load(conn, id).await;
        }
        let gift = lock(conn, id).await?;
        if gift.to_email.is_empty() && asked.email.is_none() {
            return Err(Code::InvalidField.at("email", "its holder's address is gone: name one"));
        }
        let is_scheduled = rules::state(&gift, now) == State::Scheduled;
        if !is_scheduled {
            may_redeem(&gift, now)?;
        }
        if let Some(email) = &asked.email {
            let buyer = buyer_of(conn, &gift).await.and_then(|to| to.address.parse::<Email>().ok());
            let is_addressed = buyer.is_none_or(|buyer| buyer.person() != email.person());
            model::set_receiver(conn, id, email.as_str(), is_addressed).await?;
        }
        if gift.delivered_at.is_some() {
            model::take_code(conn, id).await?;
        }
        // One that had nobody to go to has no job any more.
        if gift.delivered_at.is_some() || gift.to_email.is_empty() {
            let at = gift.deliver_at.max(now);
            jobs::enqueue(conn, &Job::DeliverGift { gift: id }, at, now).await?;
        }
        record(conn, actor, "gift.replace", id, &reason, json!({}), now).await?;
        model::load(conn, id).await
    })
    .await?;
    app.jobs.wake(Lane::Local);
    Ok(gift)
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    id: GiftId,
    reason: &str,
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let subject_id = id.to_string();
    let entry = Entry { actor, action, subject_kind: "gift", subject_id, reason: Some(reason), detail };
    audit::record(conn, now, entry).await
}
