//! Declaring, stopping and deciding.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{self, End, WithdrawalRow, WithdrawalState};
use super::rules::{self, Counted};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow};
use crate::checkout::payments::delivery::articles_of;
use crate::checkout::payments::service::recipient_of;
use crate::checkout::refunds::model as refunds;
use crate::checkout::shipments::model as shipments;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::Lane;
use crate::messages::mails::{self, Mail};
use crate::people::secrets;
use crate::types::email::Email;
use crate::types::id::{OrderId, WithdrawalId};

/// Tells people and scanners what leaked.
const TOKEN_PREFIX: &str = "kw_";

/// What a buyer declares.
pub struct Declaration {
    pub order_number: String,
    pub email: Email,
    pub name: String,
}

/// Opens a case where the order exists, is paid, and was placed with this address; else nothing happens, and nobody is told
/// the difference. While a case is open there is no second one. The acknowledgement goes to the order's address.
///
/// # Errors
/// The database's.
pub async fn declare(app: &App, declaration: &Declaration) -> Result<()> {
    let found = model::find_order(&mut *db::connect(&app.pool).await?, &declaration.order_number).await?;
    let Some(order) = found.filter(|order| is_theirs(order, &declaration.email)) else { return Ok(()) };
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let order = orders::lock(conn, order.id).await?;
        match order.paid_at {
            Some(paid_at) if is_theirs(&order, &declaration.email) => {
                open(conn, app, &order, paid_at, &declaration.name, now).await
            }
            _ => Ok(()),
        }
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(())
}

fn is_theirs(order: &OrderRow, email: &Email) -> bool {
    order.paid_at.is_some() && order.email.parse::<Email>().is_ok_and(|own| own.key() == email.key())
}

async fn open(
    conn: &mut Conn,
    app: &App,
    order: &OrderRow,
    paid_at: DateTime<Utc>,
    name: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let counted_from = match counted(conn, order.id, paid_at).await? {
        Counted::NotYet => None,
        Counted::From(at) => Some(at),
    };
    let token = secrets::generate(TOKEN_PREFIX)?;
    let row = WithdrawalRow {
        id: WithdrawalId::new(),
        order_id: order.id,
        state: WithdrawalState::Open,
        name: Some(name.to_owned()),
        declared_at: now,
        counted_from,
        deadline_at: counted_from.and_then(|from| rules::deadline(from, app.settings.timezone)),
        token_hash: secrets::hash(&token),
        ended_at: None,
        reason: None,
        refund_id: None,
    };
    if !model::insert(conn, &row).await? {
        return Ok(());
    }
    let mail = Mail::WithdrawalReceived {
        token,
        order_number: order.number.clone(),
        name: name.to_owned(),
        declared_at: now,
    };
    mails::queue(conn, now, &recipient_of(order), &format!("withdrawal:{}:received", row.id), &mail).await?;
    record(conn, Actor::System, "withdrawal.declare", &row, None, now).await
}

/// When the last parcel went out, or that one is still to come.
async fn counted(conn: &mut Conn, order: OrderId, paid_at: DateTime<Utc>) -> Result<Counted> {
    let lines = orders::lines_of(conn, &[order]).await?;
    let articles = articles_of(conn, &lines).await?;
    let is_sent = |line: &&LineRow| {
        line.variant_id.and_then(|id| articles.get(&id)).is_some_and(|article| article.is_shipped())
    };
    let is_refunded = |line: &LineRow| line.total_minor > 0 && line.refunded_minor == line.total_minor;
    let is_open = lines.iter().filter(is_sent).any(|line| line.shipped < line.quantity && !is_refunded(line));
    let parcels = shipments::of_order(conn, order).await?;
    // From delivery, as the law has it, where the shop knows of it.
    let arrived = parcels.iter().map(|(parcel, _)| parcel.delivered_at.unwrap_or(parcel.shipped_at));
    let last = arrived.max();
    Ok(rules::counted(paid_at, last, is_open))
}

/// The buyer stays with the order after all.
///
/// # Errors
/// `token_invalid` where the link isn't one of an open case.
pub async fn stop(app: &App, token: &str) -> Result<()> {
    let now = app.clock.now();
    let hash = secrets::hash(token);
    db::transaction(&app.pool, async |conn| {
        let row = model::find_open(conn, &hash).await?.ok_or(Code::TokenInvalid)?;
        orders::lock(conn, row.order_id).await?;
        let end = End { state: WithdrawalState::Stopped, reason: None, refund: None };
        if !model::end(conn, row.id, &end, now).await? {
            return Err(Code::TokenInvalid.error());
        }
        record(conn, Actor::System, "withdrawal.stop", &row, None, now).await
    })
    .await
}

/// Decides an open case, once a request, and mails the buyer.
///
/// # Errors
/// `not_found`, `withdrawal_ended`, `invalid_field` for a refund of another order, `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn decide(app: &App, actor: Actor, id: WithdrawalId, end: &End, request: &Request) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let row = model::load(conn, id).await?;
        let order = orders::lock(conn, row.order_id).await?;
        if let Claim::Repeat(_) = idempotency::claim(conn, request, 200, id.0, now).await? {
            return Ok(());
        }
        if let Some(refund) = end.refund {
            let of_order = refunds::of_order(conn, order.id).await?;
            if !of_order.iter().any(|known| known.id == refund) {
                return Err(Code::InvalidField.at("refund", "not a refund of this order"));
            }
        }
        if !model::end(conn, id, end, now).await? {
            return Err(Code::WithdrawalEnded.error());
        }
        // Who was erased is written to no more.
        if !order.email.is_empty() {
            let order_number = order.number.clone();
            let mail = match end.state {
                WithdrawalState::Accepted => Mail::WithdrawalAccepted { order_number },
                _ => {
                    Mail::WithdrawalRejected { order_number, reason: end.reason.clone().unwrap_or_default() }
                }
            };
            let cause = format!("withdrawal:{id}:decided");
            mails::queue(conn, now, &recipient_of(&order), &cause, &mail).await?;
        }
        let action = match end.state {
            WithdrawalState::Accepted => "withdrawal.accept",
            _ => "withdrawal.reject",
        };
        record(conn, actor, action, &row, end.reason.as_deref(), now).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(())
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    row: &WithdrawalRow,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = audit::Entry {
        actor,
        action,
        subject_kind: "withdrawal",
        subject_id: row.id.to_string(),
        reason,
        detail: json!({ "order": row.order_id.to_string() }),
    };
    audit::record(conn, now, entry).await
}
