//! What goes back when a member is expelled: membership says how much of which line, it goes back as any refund does.

use super::model;
use super::rules::{Asked, Parts, Refundable, at_most};
use super::service::{NewRefund, Tells, enter, refundable};
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::orders::model::{self as orders, OrderRow};
use crate::checkout::orders::service as ordering;
use crate::db;
use crate::error::Result;
use crate::jobs::{Lane, Outcome};
use crate::membership::measures::model as measures;
use crate::types::id::{LineId, MeasureId, OrderId};
use crate::types::locale::Locale;

/// The job [`crate::jobs::Job::RefundExpelled`]: a refund of each order that paid for the membership, once.
///
/// # Errors
/// The database's: the job runs again.
pub async fn pay_back(app: &App, measure: MeasureId) -> Result<Outcome> {
    let rows = measures::refunds_of(&mut *db::connect(&app.pool).await?, measure).await?;
    for of_order in rows.chunk_by(|one, next| one.0 == next.0) {
        if let Some((order, ..)) = of_order.first() {
            let lines: Vec<_> = of_order.iter().map(|(_, line, minor)| (*line, *minor)).collect();
            refund(app, measure, *order, &lines).await?;
        }
    }
    app.jobs.wake(Lane::Stripe);
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

/// What of the lines has gone back since stays gone: no more than is left.
async fn refund(app: &App, measure: MeasureId, order: OrderId, lines: &[(LineId, i64)]) -> Result<()> {
    let now = app.clock.now();
    let cause = cause_of(measure, order);
    db::transaction(&app.pool, async |conn| {
        let row = orders::lock(conn, order).await?;
        if model::of_order(conn, order).await?.iter().any(|refund| refund.cause == cause) {
            return Ok(());
        }
        let known: Vec<Refundable> = orders::lines_of(conn, &[order]).await?.iter().map(refundable).collect();
        let parts = Parts { lines: at_most(&known, lines), shipping_minor: 0 };
        if parts.amount_minor() == 0 {
            return Ok(());
        }
        let new = NewRefund {
            order,
            asked: Asked::Exactly(parts),
            reason: reason_for(&row).to_owned(),
            restock: false,
            into_credit: false,
            cause: cause.clone(),
            tells: Tells::Refund,
        };
        enter(conn, now, Actor::System, &row, &new).await.map(drop)
    })
    .await
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
