//! The jobs of a goal: its decision, and what follows from it for each backer.

use chrono::{DateTime, TimeDelta, Utc};

use super::service;
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::orders::model as orders;
use crate::checkout::orders::service as ordering;
use crate::checkout::payments::service::recipient_of;
use crate::checkout::refunds::rules::Asked;
use crate::checkout::refunds::service::{self as refunds, NewRefund, Tells};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{Lane, Outcome};
use crate::messages::mails::{self, Mail};
use crate::shop::crowdfunding::model::{self, Outcome as Decided};
use crate::shop::drops::model::{self as drops, Drop};
use crate::types::id::{DropId, LineId, OrderId};
use crate::types::locale::Locale;

/// Between two batches; whoever queues the job meanwhile waits for the next one ([`crate::jobs::Job::MERGED`]).
const PAUSE: TimeDelta = TimeDelta::seconds(1);

/// Decides a goal when it is time: the job `decide_goal`.
///
/// # Errors
/// The database's.
pub async fn decide(app: &App, drop: DropId) -> Result<Outcome> {
    let now = app.clock.now();
    let next = db::transaction(&app.pool, async |conn| service::decide(conn, drop, now).await).await?;
    app.jobs.wake(Lane::Local);
    Ok(next.map_or(Outcome::Done, Outcome::Again))
}

/// Brings the ship-by promises of a drop's backers in step with its window: the job `move_promises`.
///
/// # Errors
/// The database's.
pub async fn move_promises(app: &App, drop: DropId) -> Result<Outcome> {
    let ship_within = app.settings.goods.ship_within;
    db::transaction(&app.pool, async |conn| service::move_promises(conn, drop, ship_within).await).await?;
    Ok(Outcome::Done)
}

/// Carries a decision out, a batch at a time: refunds where the goal was missed, mails where it was reached. The job
/// `conclude_goal`. Each pledge is marked in the transaction that deals with it, so that a job that is killed goes on where
/// it stood.
///
/// A batch is half of what Stripe takes in a second: the refunds are sent by jobs of their own under the account's limit,
/// and the other half stays for who is buying something else meanwhile.
///
/// # Errors
/// The database's.
pub async fn conclude(app: &App, id: DropId) -> Result<Outcome> {
    let now = app.clock.now();
    let rate = app.settings.stripe.as_ref().map_or(2, |stripe| stripe.rate_per_second);
    let batch = i64::from((rate / 2).max(1));
    let mut conn = db::connect(&app.pool).await?;
    let sale = drops::load(&conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
    let Some(decision) = sale.goal.as_ref().and_then(|goal| goal.decision) else {
        return Ok(Outcome::Done);
    };
    let open = model::open_pledges(&mut conn, id, decision.outcome, batch).await?;
    drop(conn);
    for (line, order) in &open {
        db::transaction(&app.pool, async |conn| match decision.outcome {
            Decided::Missed => refund(conn, &sale, *line, *order, now).await,
            Decided::Reached => tell(conn, &sale, *line, *order, now).await,
        })
        .await?;
    }
    app.jobs.wake(Lane::Stripe);
    app.jobs.wake(Lane::Mail);
    Ok(if open.is_empty() { Outcome::Done } else { Outcome::Again(now + PAUSE) })
}

/// Everything that is left of the order goes back. An operator may have refunded it a moment ago: then nothing is left.
async fn refund(
    conn: &mut Conn,
    sale: &Drop,
    line: LineId,
    order: OrderId,
    now: DateTime<Utc>,
) -> Result<()> {
    let locale = ordering::locale_of(&orders::lock(conn, order).await?);
    let name = sale.names.pick(locale);
    let reason = match locale {
        Locale::ZhCn => format!("“{name}”的众筹没有达到目标"),
        Locale::En => format!("the goal of “{name}” was not reached"),
    };
    let new = NewRefund {
        order,
        asked: Asked::Full,
        reason,
        restock: true,
        into_credit: false,
        cause: format!("goal_missed:{order}"),
        tells: Tells::Refund,
    };
    match refunds::request_on(conn, now, Actor::System, &new).await {
        Err(error) if error.code == Code::NothingToRefund => {}
        done => {
            done?;
        }
    }
    model::conclude(conn, line, now).await
}

async fn tell(conn: &mut Conn, sale: &Drop, line: LineId, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    let row = orders::lock(conn, order).await?;
    let mail = Mail::GoalReached {
        drop_zh: sale.names.zh.clone(),
        drop_en: sale.names.en.clone(),
        order_number: row.number.clone(),
    };
    mails::queue(conn, now, &recipient_of(&row), &format!("goal_reached:{line}"), &mail).await?;
    model::conclude(conn, line, now).await
}
