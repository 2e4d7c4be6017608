//! The jobs that tell of a trial's end, and end it. What was bought meanwhile leaves them nothing to do.

use chrono::{DateTime, Utc};

use super::model::{self, TrialRow};
use super::rules::{self, Course, course, is_all};
use super::service::term_of;
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{AppError, Result};
use crate::jobs::{Lane, Outcome};
use crate::membership::memberships::ending;
use crate::membership::memberships::model::{self as memberships, MembershipRow, TermRow};
use crate::membership::plans::model as plans;
use crate::messages::mails::model::by_causes;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::promotion::occasions::rules::OccasionEvent;
use crate::promotion::occasions::service as occasions;
use crate::types::id::TrialId;

/// A trial as a job finds it, its account locked.
struct Found {
    trial: TrialRow,
    term: TermRow,
    membership: MembershipRow,
    /// None where the account was erased.
    member: Option<Buyer>,
}

async fn find(conn: &mut Conn, id: TrialId) -> Result<Found> {
    let trial = model::load(conn, id).await?;
    let member = accounts::lock_buyers(conn, &[trial.account_id]).await?.pop();
    let held = memberships::lock_all_of(conn, &[trial.account_id]).await?;
    let term = term_of(conn, &trial).await?;
    let membership = held.into_iter().find(|row| row.id == term.membership_id);
    let membership = membership.ok_or_else(|| AppError::internal("a term without its membership"))?;
    Ok(Found { trial, term, membership, member })
}

/// Tells the member that the trial ends, and how to go on: once. Coupons that are given for it come by a job of their own.
///
/// # Errors
/// The database's.
pub async fn remind(app: &App, id: TrialId) -> Result<Outcome> {
    let now = app.clock.now();
    let done = db::transaction(&app.pool, async |conn| {
        let found = find(conn, id).await?;
        let Course::Runs(at) = course(&found.membership, &found.term, now) else { return Ok(Outcome::Done) };
        let due = rules::notice_at(&found.term, app.settings.trial_notice).filter(|due| *due > now);
        if let Some(due) = due {
            return Ok(Outcome::Again(due));
        }
        // Told before a rest, it isn't told again after it.
        let is_told = !by_causes(conn, &[ending_cause(id)]).await?.is_empty();
        if is_told || found.member.is_none() || !is_all(&found.membership, &found.term) {
            return Ok(Outcome::Done);
        }
        tell(conn, &found, at, now).await?;
        occasions::happened(conn, OccasionEvent::TrialEnding, found.trial.account_id, now).await?;
        Ok(Outcome::Done)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    app.jobs.wake(Lane::Local);
    Ok(done)
}

async fn tell(conn: &mut Conn, found: &Found, ends_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    let Found { trial, member, .. } = found;
    let Some(to) = member.as_ref().and_then(recipient) else { return Ok(()) };
    let plan = plans::find(conn, trial.plan_id).await?;
    let plan = plan.ok_or_else(|| AppError::internal("a tried plan is gone"))?;
    let mail = Mail::TrialEnding {
        tier_zh: plan.tier_zh,
        tier_en: plan.tier_en,
        term: plan.term.to_string(),
        price_minor: plan.price_minor,
        currency: plan.currency,
        // Sold in drives alone, or no more: there is nothing to link to.
        plan_code: Some(plan.code).filter(|_| plan.open_sale && plan.archived_at.is_none()),
        ends_at,
    };
    mails::queue(conn, now, &to, &ending_cause(trial.id), &mail).await
}

fn ending_cause(trial: TrialId) -> String {
    format!("trial_ending:{trial}")
}

/// A trial's time is over: it ends without grace, since nobody has paid for any, and nothing is charged.
///
/// # Errors
/// The database's.
pub async fn end(app: &App, id: TrialId) -> Result<Outcome> {
    let now = app.clock.now();
    let done = db::transaction(&app.pool, async |conn| {
        let mut found = find(conn, id).await?;
        match course(&found.membership, &found.term, now) {
            Course::Left | Course::Rests => return Ok(Outcome::Done),
            Course::Runs(at) => return Ok(Outcome::Again(at)),
            Course::Over => {}
        }
        ending::close_ended(conn, &mut found.membership, now).await?;
        if let Some(to) = found.member.as_ref().and_then(recipient) {
            let plan = plans::find(conn, found.trial.plan_id).await?;
            let plan = plan.ok_or_else(|| AppError::internal("a tried plan is gone"))?;
            let mail = Mail::TrialEnded {
                tier_zh: plan.tier_zh,
                tier_en: plan.tier_en,
                plan_code: Some(plan.code).filter(|_| plan.open_sale && plan.archived_at.is_none()),
            };
            mails::queue(conn, now, &to, &format!("trial_ended:{id}"), &mail).await?;
        }
        Ok(Outcome::Done)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(done)
}

fn recipient(member: &Buyer) -> Option<Recipient> {
    let address = member.email.clone()?;
    Some(Recipient { account: Some(member.id), address, locale: member.locale })
}
