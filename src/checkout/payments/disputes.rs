//! Disputes: opened → operators are told, and a membership that the order sold or gave is frozen; lost → what was sold is revoked,
//! what was given ends, and so do rights that the order gave; won or the warning closed → resumed, with the time given back. A dispute about goods leaves the
//! buyer's membership alone.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kindred_stripe::{Dispute, DisputeStatus};
use serde_json::json;

use super::model::PaymentRow;
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::earned;
use crate::checkout::gift_cards::service::{self as gift_cards, Disputed};
use crate::checkout::gifts::service as gifts;
use crate::checkout::invited;
use crate::checkout::orders::model::{self as orders, LineRow};
use crate::checkout::orders::service as ordering;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::jobs::Lane;
use crate::membership::memberships::rules::FreezeCause;
use crate::membership::memberships::service as memberships;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model as accounts;
use crate::promotion::packets::service as packets;
use crate::schema::disputes;
use crate::shop::rights::model as rights;
use crate::types::id::{DisputeId, OrderId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where a dispute stands.
    DisputeState {
        Open = "open",
        Won = "won",
        Lost = "lost",
        /// An inquiry that ended without a dispute.
        WarningClosed = "warning_closed",
    }
}

fn state_of(status: DisputeStatus) -> Option<DisputeState> {
    match status {
        DisputeStatus::Open => Some(DisputeState::Open),
        DisputeStatus::Won => Some(DisputeState::Won),
        DisputeStatus::Lost => Some(DisputeState::Lost),
        DisputeStatus::WarningClosed => Some(DisputeState::WarningClosed),
        DisputeStatus::Unknown => None,
    }
}

/// What who redeemed this order's gift cards has put into packets is his store credit again, before that is taken back: once,
/// where the dispute isn't known as over.
async fn recall_packets(app: &App, order: OrderId, dispute: &str) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    if stored(&mut conn, dispute).await?.is_some_and(|(_, stored)| stored != DisputeState::Open) {
        return Ok(());
    }
    let holders = gift_cards::holders_of(&mut conn, order).await?;
    drop(conn);
    for holder in holders {
        packets::give_up(app, holder).await?;
    }
    Ok(())
}

/// Applies a dispute's present state: it opens once and ends once.
///
/// # Errors
/// The database's.
pub async fn apply(app: &App, payment: &PaymentRow, dispute: &Dispute) -> Result<()> {
    let Some(state) = state_of(dispute.status) else { return Ok(()) };
    let now = app.clock.now();
    if state == DisputeState::Lost {
        recall_packets(app, payment.order_id, &dispute.id).await?;
    }
    db::transaction(&app.pool, async |conn| {
        let order = orders::lock(conn, payment.order_id).await?;
        gifts::lock_accounts(conn, order.id, order.account_id).await?;
        let stored = stored(conn, &dispute.id).await?;
        if stored.is_some_and(|(_, stored)| stored == state || stored != DisputeState::Open) {
            return Ok(());
        }
        let lines = orders::lines_of(conn, &[order.id]).await?;
        let member = lines.iter().any(LineRow::is_membership).then_some(order.account_id);
        let id = match stored {
            Some((id, _)) => id,
            None => {
                let id = insert(conn, payment, dispute, now).await?;
                if let Some(member) = member {
                    memberships::freeze(conn, member, FreezeCause::Dispute(id), now).await?;
                }
                tell_operators(conn, &order, dispute, now).await?;
                id
            }
        };
        let how = match state {
            DisputeState::Open => Disputed::Open,
            DisputeState::Lost => Disputed::Lost,
            DisputeState::Won | DisputeState::WarningClosed => Disputed::Won,
        };
        let cards: Vec<_> = lines.iter().filter(|line| line.is_gift_card()).map(|line| line.id).collect();
        let is_over = !has_another(conn, order.id, id).await?;
        if how != Disputed::Won || is_over {
            gift_cards::follow_dispute(conn, &cards, how, now).await?;
        }
        let given: Vec<_> = lines.iter().filter(|line| line.is_gift()).map(|line| line.id).collect();
        gifts::follow_dispute(conn, &given, id, how, is_over, now).await?;
        match (state, member) {
            (DisputeState::Lost, member) => {
                if let Some(member) = member {
                    memberships::revoke(conn, member, now).await?;
                }
                for line in &lines {
                    rights::end_of_line(conn, line.id, now).await?;
                }
            }
            (DisputeState::Won | DisputeState::WarningClosed, Some(member)) => {
                memberships::resume(conn, member, FreezeCause::Dispute(id), now).await?;
            }
            _ => {}
        }
        if state != DisputeState::Open {
            close(conn, &dispute.id, state, now).await?;
        }
        invited::service::changed(conn, order.id, now).await?;
        earned::service::changed(conn, order.id, now).await?;
        let action = format!("dispute.{}", state.as_str());
        let detail = json!({ "dispute": dispute.id, "amount_minor": dispute.amount_minor });
        ordering::audit_order(conn, now, Actor::System, &action, order.id, &dispute.reason, detail).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(())
}

async fn stored(conn: &mut Conn, stripe_id: &str) -> Result<Option<(DisputeId, DisputeState)>> {
    Ok(disputes::table
        .filter(disputes::stripe_dispute_id.eq(stripe_id))
        .select((disputes::id, disputes::state))
        .first(conn)
        .await
        .optional()?)
}

/// Is another dispute of the order open?
async fn has_another(conn: &mut Conn, order: OrderId, this: DisputeId) -> Result<bool> {
    let others = disputes::table
        .filter(disputes::order_id.eq(order))
        .filter(disputes::id.ne(this))
        .filter(disputes::state.eq(DisputeState::Open));
    Ok(diesel::select(diesel::dsl::exists(others)).get_result(conn).await?)
}

async fn insert(
    conn: &mut Conn,
    payment: &PaymentRow,
    dispute: &Dispute,
    now: DateTime<Utc>,
) -> Result<DisputeId> {
    let id = DisputeId::new();
    diesel::insert_into(disputes::table)
        .values((
            disputes::id.eq(id),
            disputes::stripe_dispute_id.eq(&dispute.id),
            disputes::payment_id.eq(payment.id),
            disputes::order_id.eq(payment.order_id),
            disputes::state.eq(DisputeState::Open),
            disputes::amount_minor.eq(dispute.amount_minor),
            disputes::currency.eq(&dispute.currency),
            disputes::reason.eq(&dispute.reason),
            disputes::opened_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(id)
}

async fn close(conn: &mut Conn, stripe_id: &str, state: DisputeState, now: DateTime<Utc>) -> Result<()> {
    diesel::update(disputes::table.filter(disputes::stripe_dispute_id.eq(stripe_id)))
        .set((disputes::state.eq(state), disputes::closed_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

async fn tell_operators(
    conn: &mut Conn,
    order: &orders::OrderRow,
    dispute: &Dispute,
    now: DateTime<Utc>,
) -> Result<()> {
    let mail = Mail::DisputeOpened {
        order_number: order.number.clone(),
        amount_minor: dispute.amount_minor,
        currency: dispute.currency.clone(),
        reason: dispute.reason.clone(),
    };
    let mut queued = Vec::new();
    for operator in accounts::operators(conn).await? {
        let Some(address) = operator.email else { continue };
        let recipient = Recipient { account: Some(operator.id), address, locale: operator.locale };
        queued.push((recipient, format!("dispute:{}:{}", dispute.id, operator.id), mail.clone()));
    }
    mails::queue_all(conn, now, &queued).await
}
