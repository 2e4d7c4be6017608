//! Flagging uses when a card has paid, and deciding about them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::dto::FlagDecision;
use super::model::{self, Outcome, Repeat};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::refunds::rules::Asked;
use crate::checkout::refunds::service::{self as refunds, NewRefund, Tells};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::jobs::{self, Job, Outcome as JobOutcome};
use crate::promotion::coupons::uses;
use crate::types::id::{CouponUseId, OrderId};

/// Cards have paid for these orders: flags the coupons that a card has used up elsewhere. By the campaign's rule a job sends
/// the money back.
///
/// # Errors
/// The database's.
pub async fn judge(conn: &mut Conn, paid: &[(OrderId, &str)], now: DateTime<Utc>) -> Result<()> {
    if paid.is_empty() {
        return Ok(());
    }
    let repeats: Vec<Repeat> = model::repeats(conn, paid).await?;
    if repeats.is_empty() {
        return Ok(());
    }
    model::insert(conn, &repeats, now).await?;
    let refunded: BTreeSet<OrderId> =
        repeats.iter().filter(|one| one.is_refunded).map(|one| one.order_id).collect();
    let refunds = refunded.into_iter().map(|order| (Job::RefundRepeatCard { order }, now));
    jobs::enqueue_all(conn, &refunds.collect::<Vec<_>>(), now).await?;
    Ok(())
}

/// The job of an order whose coupon isn't meant for its card.
///
/// # Errors
/// The database's: the job runs again.
pub async fn refund(app: &App, order: OrderId) -> Result<JobOutcome> {
    let reason = "the coupon was used with this card before";
    send_back(app, Actor::System, order, reason).await?;
    Ok(JobOutcome::Done)
}

/// All that is left of the order goes back, once; nothing may be left.
async fn send_back(app: &App, actor: Actor, order: OrderId, reason: &str) -> Result<()> {
    let new = NewRefund {
        order,
        asked: Asked::Full,
        reason: reason.to_owned(),
        restock: true,
        into_credit: false,
        cause: format!("repeat_card:{order}"),
        tells: Tells::Refund,
    };
    match refunds::request(app, actor, &new).await {
        Err(error) if error.code == Code::NothingToRefund => {}
        done => drop(done?),
    }
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let uses = model::uses_of(conn, order).await?;
        model::end(conn, &uses, Outcome::Refunded, reason, now).await.map(|_| ())
    })
    .await
}

/// An operator decides. Twice does no more than once.
///
/// # Errors
/// `not_found`, `invalid_field`; those of a refund.
pub async fn decide(app: &App, actor: Actor, id: CouponUseId, asked: &FlagDecision) -> Result<()> {
    let reason = fields::reason(&asked.reason)?;
    let now = app.clock.now();
    let order = {
        let mut conn = db::connect(&app.pool).await?;
        if !model::exists(&mut conn, id).await? {
            return Err(Code::NotFound.error());
        }
        uses::order_of(&mut conn, id).await?
    };
    if asked.outcome == Outcome::Refunded {
        return send_back(app, actor, order, &reason).await;
    }
    db::transaction(&app.pool, async |conn| {
        if model::end(conn, &[id], Outcome::Kept, &reason, now).await? == 0 {
            return Ok(());
        }
        let entry = Entry {
            actor,
            action: "coupon_flag.keep",
            subject_kind: "order",
            subject_id: order.to_string(),
            reason: Some(&reason),
            detail: json!({ "use": id.to_string() }),
        };
        audit::record(conn, now, entry).await
    })
    .await
}
