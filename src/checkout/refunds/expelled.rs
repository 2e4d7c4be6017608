//! What goes back when a member is expelled: membership says how much of which line, it goes back as any refund does.

use chrono::TimeDelta;

use super::model::{self, RefundRow, RefundState};
use super::rules::{Asked, Parts, Promised, Refundable, at_most};
use super::service::{NewRefund, Tells, enter, refundable};
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::orders::model::{self as orders, OrderRow};
use crate::checkout::orders::service as ordering;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::jobs::{Lane, Outcome};
use crate::membership::measures::model::{self as measures, MeasureRefund};
use crate::types::id::{LineId, MeasureId, OrderId};
use crate::types::locale::Locale;

/// Between two looks at a refund of the order that isn't decided.
const LATER: TimeDelta = TimeDelta::hours(1);

/// The job [`crate::jobs::Job::RefundExpelled`]: a refund of each order that paid for the membership, once. It runs again where
/// another refund of one failed since, which was a part of what goes back.
///
/// # Errors
/// The database's: the job runs again.
pub async fn pay_back(app: &App, measure: MeasureId) -> Result<Outcome> {
    let rows = measures::refunds_of(&mut *db::connect(&app.pool).await?, measure).await?;
    let mut waits = false;
    for of_order in rows.chunk_by(|one, next| one.0 == next.0) {
        if let Some((order, _)) = of_order.first() {
            let parts: Vec<_> = of_order.iter().map(|(_, part)| *part).collect();
            waits |= !refund(app, measure, *order, &parts).await?;
        }
    }
    app.jobs.wake(Lane::Stripe);
    app.jobs.wake(Lane::Mail);
    Ok(if waits { Outcome::Again(app.clock.now() + LATER) } else { Outcome::Done })
}

/// False while another refund of the order isn't decided: whether that is a part of it isn't known.
async fn refund(app: &App, measure: MeasureId, order: OrderId, promised: &[MeasureRefund]) -> Result<bool> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let row = orders::lock(conn, order).await?;
        let refunds = model::of_order(conn, order).await?;
        let cause = cause_of(measure, order);
        let own: Vec<_> = refunds.iter().filter(|refund| is_own(refund, &refunds, &cause)).collect();
        let is_open = |refund: &RefundRow| matches!(refund.state, RefundState::Queued | RefundState::Pending);
        if refunds.iter().any(|one| is_open(one) && !own.iter().any(|own| own.id == one.id)) {
            return Ok(false);
        }
        let known: Vec<Refundable> = orders::lines_of(conn, &[order]).await?.iter().map(refundable).collect();
        let due = due(conn, &known, promised, &own).await?;
        let parts = Parts { lines: at_most(&known, &due), shipping_minor: 0 };
        if parts.amount_minor() == 0 {
            return Ok(true);
        }
        let times = own.iter().filter(|refund| refund.cause.starts_with(&cause)).count();
        let new = NewRefund {
            order,
            asked: Asked::Exactly(parts),
            reason: reason_for(&row).to_owned(),
            restock: false,
            into_credit: false,
            cause: if times == 0 { cause } else { format!("{cause}:{times}") },
            tells: Tells::Refund,
        };
        enter(conn, now, Actor::System, &row, &new).await?;
        Ok(true)
    })
    .await
}

/// What has yet to go back of each line.
async fn due(
    conn: &mut Conn,
    known: &[Refundable],
    promised: &[MeasureRefund],
    own: &[&RefundRow],
) -> Result<Vec<(LineId, i64)>> {
    let mut parts = Vec::new();
    for refund in own {
        let is_failed = refund.state == RefundState::Failed;
        let lines = model::lines_of(conn, refund.id).await?;
        parts.extend(lines.into_iter().map(|part| (part.line_id, part.amount_minor, is_failed)));
    }
    let own_of = |line: LineId, any: bool| {
        let is_it = |part: &&(LineId, i64, bool)| part.0 == line && (any || part.2);
        parts.iter().filter(is_it).map(|(_, minor, _)| minor).sum::<i64>()
    };
    let due_of = |part: &MeasureRefund| {
        let refunded = known.iter().find(|line| line.line == part.line_id).map(|line| line.refunded_minor);
        let promised = Promised {
            amount_minor: part.amount_minor,
            before_minor: part.refunded_minor,
            refunded_minor: refunded.unwrap_or(0),
            own_minor: own_of(part.line_id, true),
            own_failed_minor: own_of(part.line_id, false),
        };
        (part.line_id, promised.due_minor())
    };
    Ok(promised.iter().map(due_of).collect())
}

/// Is a refund one of this cause, or what of it became store credit or points?
fn is_own(refund: &RefundRow, all: &[RefundRow], cause: &str) -> bool {
    let first = |of: &RefundRow| of.cause.starts_with(cause);
    let rest_of = |one: &RefundRow| {
        refund.cause == format!("credit_of:{}", one.id) || refund.cause == format!("points_of:{}", one.id)
    };
    first(refund) || all.iter().any(|one| first(one) && rest_of(one))
}

/// Read by the buyer. The measure's own mail says why he was expelled.
fn reason_for(order: &OrderRow) -> &'static str {
    match ordering::locale_of(order) {
        Locale::ZhCn => "依据社区规则终止会员资格",
        Locale::En => "your membership was ended by the rules of the community",
    }
}

/// By which a repeat finds the refund.
fn cause_of(measure: MeasureId, order: OrderId) -> String {
    format!("measure:{measure}:{order}")
}
