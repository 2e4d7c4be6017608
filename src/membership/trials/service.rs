//! Trying a plan.

use chrono::{DateTime, Utc};

use super::model::{self, NewTrial, TrialRow};
use super::rules::{self, Asker};
use crate::app::App;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::membership::associates::access::is_associate;
use crate::membership::freezes::model::is_buying;
use crate::membership::memberships::giving::{self, Given};
use crate::membership::memberships::model::{Source, TermRow, find_term};
use crate::membership::plans::model::{self as plans, Plan};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::types::id::{PlanId, TermId, TrialId};
use crate::types::period::Term;

/// Starts a trial for the account: a term that is worth nothing, with a number, which ends by itself. Tells the trial.
///
/// # Errors
/// Those of [`rules::days`], `idempotency_key_reused`, `request_in_progress`.
pub async fn start(app: &App, plan: PlanId, request: &Request) -> Result<TrialId> {
    let now = app.clock.now();
    let id = db::transaction(&app.pool, async |conn| {
        let id = TrialId::new();
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id.0, now).await? {
            return Ok(TrialId(earlier));
        }
        let asker = accounts::lock_buyers(conn, &[request.account]).await?.pop();
        let asker = asker.ok_or(Code::Unauthenticated)?;
        let plan = plans::find_for_use(conn, plan).await?;
        let days = rules::days(plan.as_ref(), known(conn, &asker).await?)?;
        let plan = plan.ok_or(Code::UnknownPlan)?;
        let trial = NewTrial {
            id,
            account_id: asker.id,
            person_key: asker.person_key.clone().ok_or(Code::EmailNotVerified)?,
            plan_id: plan.id,
            days: plan.trial_days,
            created_at: now,
        };
        // Of two accounts of one person that ask at once, one gets it.
        if !model::insert(conn, &trial).await? {
            return Err(Code::TrialUsed.error());
        }
        give(app, conn, &trial, &asker, &plan, Term::Days(days)).await?;
        Ok(id)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(id)
}

async fn known(conn: &mut Conn, asker: &Buyer) -> Result<Asker> {
    let person = asker.person_key.as_deref().unwrap_or_default();
    Ok(Asker {
        is_verified: asker.email_verified_at.is_some() && !person.is_empty(),
        has_tried: model::is_known(conn, person).await?,
        was_member: model::was_member(conn, asker.id, person).await? || is_associate(conn, asker.id).await?,
        is_ordering: is_buying(conn, asker.id).await?,
    })
}

async fn give(
    app: &App,
    conn: &mut Conn,
    trial: &NewTrial,
    asker: &Buyer,
    plan: &Plan,
    term: Term,
) -> Result<()> {
    let (now, zone) = (trial.created_at, app.settings.timezone);
    let given = Given { account: asker.id, source: Source::Trial, term, now, zone };
    let activated = giving::give(conn, plan, &given).await?;
    model::set_term(conn, trial.id, activated.term).await?;
    let ends_at = activated.ends_at.ok_or_else(|| AppError::internal("a trial without an end"))?;
    let given = model::load(conn, trial.id).await?;
    let term = term_of(conn, &given).await?;
    let notice_at = rules::notice_at(&term, app.settings.trial_notice).unwrap_or(ends_at);
    let queued =
        [(Job::RemindTrial { trial: trial.id }, notice_at), (Job::EndTrial { trial: trial.id }, ends_at)];
    jobs::enqueue_all(conn, &queued, now).await?;
    let Some(address) = asker.email.clone() else { return Ok(()) };
    let to = Recipient { account: Some(asker.id), address, locale: asker.locale };
    let mail = Mail::TrialStarted {
        number: activated.number,
        tier_zh: activated.tier_zh,
        tier_en: activated.tier_en,
        ends_at,
    };
    mails::queue(conn, now, &to, &format!("trial_started:{}", trial.id), &mail).await
}

/// A membership resumes: the jobs of trials among its terms come when these are over by now. One that is done already finds
/// nothing to do.
///
/// # Errors
/// The database's.
pub async fn resumed(conn: &mut Conn, terms: &[TermId], now: DateTime<Utc>) -> Result<()> {
    for trial in model::of_terms(conn, terms).await? {
        let Some(ends_at) = term_of(conn, &trial).await?.ends_at.filter(|end| *end > now) else { continue };
        // The first looks itself when it is due.
        let queued =
            [(Job::RemindTrial { trial: trial.id }, now), (Job::EndTrial { trial: trial.id }, ends_at)];
        jobs::enqueue_all(conn, &queued, now).await?;
    }
    Ok(())
}

/// What a trial gave.
///
/// # Errors
/// The database's.
pub async fn term_of(conn: &mut Conn, trial: &TrialRow) -> Result<TermRow> {
    let term = match trial.term_id {
        Some(term) => find_term(conn, term).await?,
        None => None,
    };
    term.ok_or_else(|| AppError::internal("a trial without its term"))
}

/// A trial with the time that it gave.
///
/// # Errors
/// The database's.
pub async fn shown(conn: &mut Conn, id: TrialId) -> Result<(TrialRow, DateTime<Utc>, DateTime<Utc>)> {
    let trial = model::load(conn, id).await?;
    let term = term_of(conn, &trial).await?;
    let ends_at = term.ends_at.ok_or_else(|| AppError::internal("a trial without an end"))?;
    Ok((trial, term.starts_at, ends_at))
}
