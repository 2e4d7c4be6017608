//! Taking measures, ending them, and deciding appeals.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::model::{self, AppealState, Kind, Measure, MeasureRefund, State};
use super::rules::{self, Taking};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job, Lane, Outcome};
use crate::membership::community;
use crate::membership::community::model::MoneyRule;
use crate::membership::memberships::model::{self as memberships, MembershipRow};
use crate::membership::memberships::rules::{FreezeCause, GRACE, Life, life, standing_at, value_left};
use crate::membership::memberships::service as lives;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model as accounts;
use crate::types::id::{AccountId, LineId, MeasureId, MembershipId};
use crate::types::text;

/// An operator's measure, checked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub actor: Actor,
    pub membership: MembershipId,
    pub taking: Taking,
    pub rule: String,
    pub reason: String,
    /// Of the operator, the route, the key and the body.
    pub request: Request,
}

/// Takes a measure against the member of an open membership, and tells him; or finds what the same request did before.
///
/// # Errors
/// `not_found`, `membership_not_open`, `no_community_rules`, `already_suspended`, `idempotency_key_reused`,
/// `request_in_progress`
pub async fn take(app: &App, asked: &Asked) -> Result<Measure> {
    let now = app.clock.now();
    let taken = db::transaction(&app.pool, async |conn| {
        let id = MeasureId::new();
        if let Claim::Repeat(done) = idempotency::claim(conn, &asked.request, 201, id.0, now).await? {
            return model::find(conn, MeasureId(done)).await?.ok_or_else(|| Code::NotFound.error());
        }
        let open = open_membership(conn, asked.membership, now).await?;
        let measure = enact(app, conn, asked, id, &open, now).await?;
        let mail = Mail::MeasureTaken {
            measure: measure.kind.as_str().to_owned(),
            rule: measure.rule.clone(),
            reason: measure.reason.clone(),
            ends_at: measure.ends_at,
            money: measure.money.map(|money| money.as_str().to_owned()),
            back_minor: measure.back_minor.unwrap_or(0),
            appeal_until: measure.appeal_until,
            currency: app.settings.currency.clone(),
        };
        tell(conn, &measure, "taken", &mail, now).await?;
        record(conn, asked.actor, "measure.take", &measure, &measure.reason, now).await?;
        Ok(measure)
    })
    .await?;
    app.jobs.wake(Lane::Local);
    app.jobs.wake(Lane::Mail);
    Ok(taken)
}

/// The open membership, with the rows of its account and of all its memberships locked.
async fn open_membership(conn: &mut Conn, id: MembershipId, now: DateTime<Utc>) -> Result<MembershipRow> {
    let account = memberships::account_of(conn, id).await?.ok_or(Code::NotFound)?;
    accounts::lock_buyers(conn, &[account]).await?;
    let held = memberships::lock_all_of(conn, &[account]).await?;
    let open = held.into_iter().find(|row| row.id == id && row.is_open());
    open.filter(|row| life(row, now, GRACE) != Life::Expired).ok_or_else(|| Code::MembershipNotOpen.error())
}

async fn enact(
    app: &App,
    conn: &mut Conn,
    asked: &Asked,
    id: MeasureId,
    open: &MembershipRow,
    now: DateTime<Utc>,
) -> Result<Measure> {
    let version = community::model::current_version(conn).await?.ok_or(Code::NoCommunityRules)?;
    let mut measure = Measure {
        id,
        account_id: open.account_id,
        membership_id: open.id,
        kind: asked.taking.kind(),
        version,
        rule: asked.rule.clone(),
        reason: asked.reason.clone(),
        money: None,
        back_minor: None,
        ends_at: None,
        state: State::InForce,
        taken_by: asked.actor.id(),
        created_at: now,
        appeal_until: now + app.settings.appeal_within,
        ended_at: None,
        appeal: None,
        appealed_at: None,
        appeal_state: None,
        decision: None,
        decided_at: None,
    };
    match asked.taking {
        Taking::Warning => model::insert(conn, &measure).await?,
        // Its term is over, and its grace would be too before the suspension is.
        Taking::Suspension(_) if life(open, now, GRACE) == Life::Grace => {
            return Err(
                Code::MembershipNotOpen.because("Its term is over: there is no time that could be stopped.")
            );
        }
        Taking::Suspension(days) => {
            let ends_at = now + TimeDelta::days(days);
            measure.ends_at = Some(ends_at);
            model::insert(conn, &measure).await?;
            lives::freeze(conn, open.account_id, FreezeCause::Measure(id), now).await?;
            jobs::enqueue(conn, &Job::EndSuspension { measure: id }, ends_at, now).await?;
        }
        Taking::Expulsion(money) => {
            let rule = rules::money_rule(money, &stated(conn, open.account_id, &measure.version).await?)?;
            let back = money_back(conn, id, rule, open, now).await?;
            measure.money = Some(rule);
            measure.back_minor = Some(back.iter().map(|part| part.amount_minor).sum());
            model::insert(conn, &measure).await?;
            model::insert_refunds(conn, &back).await?;
            lives::revoke(conn, open.account_id, now).await?;
            jobs::enqueue(conn, &Job::RefundExpelled { measure: id }, now, now).await?;
        }
    }
    Ok(measure)
}

/// What the version in force promises to who is expelled, and the newest one that the member accepted.
async fn stated(conn: &mut Conn, account: AccountId, in_force: &str) -> Result<Vec<MoneyRule>> {
    let accepted = community::model::last_accepted(conn, account).await?;
    let mut versions = vec![in_force.to_owned()];
    versions.extend(accepted.map(|accepted| accepted.version));
    community::model::money_of(conn, &versions).await
}

/// What goes back of which line for the terms that aren't over. Checkout does it, by a job, as it refunds anything.
async fn money_back(
    conn: &mut Conn,
    measure_id: MeasureId,
    rule: MoneyRule,
    open: &MembershipRow,
    now: DateTime<Utc>,
) -> Result<Vec<MeasureRefund>> {
    let at = standing_at(open, now);
    let mut running = Vec::new();
    for term in lives::valued_terms(conn, open.id).await? {
        if term.ends_at.is_none_or(|end| end > at) {
            running.push((term.id, value_left(&term, at).map_err(AppError::internal)?));
        }
    }
    let terms: Vec<_> = running.iter().map(|(term, _)| *term).collect();
    let lines = model::lines_behind(conn, &terms).await?;
    let refunded = |id: LineId| lines.iter().find(|of| of.line == id).map_or(0, |of| of.refunded_minor);
    let part = |(line_id, amount_minor)| {
        let refunded_minor = refunded(line_id);
        MeasureRefund { measure_id, line_id, amount_minor, refunded_minor }
    };
    Ok(rules::money_back(rule, &running, &lines).into_iter().map(part).collect())
}

/// The job [`Job::EndSuspension`]: its days have passed, the membership resumes.
///
/// # Errors
/// The database's.
pub async fn end_suspension(app: &App, id: MeasureId) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let (mut measure, _) = locked(conn, id).await?;
        if measure.state == State::InForce && measure.ends_at.is_some_and(|end| end <= now) {
            lives::resume(conn, measure.account_id, FreezeCause::Measure(id), now).await?;
            measure.state = State::Over;
            measure.ended_at = Some(now);
            model::store(conn, &measure).await?;
        }
        Ok(Outcome::Done)
    })
    .await
}

/// The measure, after its account: both locked.
async fn locked(conn: &mut Conn, id: MeasureId) -> Result<(Measure, AccountId)> {
    let account = model::find(conn, id).await?.ok_or(Code::NotFound)?.account_id;
    accounts::lock_buyers(conn, &[account]).await?;
    let measure = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
    Ok((measure, account))
}

/// The member appeals, once.
///
/// # Errors
/// `not_found` for a measure of somebody else's, `already_appealed`, `measure_ended`, `appeal_too_late`,
/// `invalid_field`
pub async fn appeal(app: &App, account: AccountId, id: MeasureId, typed: &str) -> Result<Measure> {
    let now = app.clock.now();
    let typed = text::block(typed, 5_000);
    let typed = typed.map_err(|error| Code::InvalidField.at("text", error.to_string()))?;
    db::transaction(&app.pool, async |conn| {
        let own = model::lock(conn, id).await?.filter(|measure| measure.account_id == account);
        let mut measure = own.ok_or(Code::NotFound)?;
        rules::may_appeal(&measure, now)?;
        measure.appeal = Some(typed.clone());
        measure.appealed_at = Some(now);
        measure.appeal_state = Some(AppealState::Open);
        model::store(conn, &measure).await?;
        Ok(measure)
    })
    .await
}

/// What an operator decides about a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The appeal fails.
    Uphold,
    /// The measure is taken back: a suspended membership resumes now, with the frozen time given back. One that was
    /// expelled may buy again; what ended stays ended, an operator grants what is due.
    Lift,
}

/// Decides an appeal, or lifts a measure without one; tells the member.
///
/// # Errors
/// `not_found`, `no_appeal`, `measure_ended`
pub async fn decide(
    app: &App,
    actor: Actor,
    id: MeasureId,
    decision: Decision,
    reason: &str,
) -> Result<Measure> {
    let now = app.clock.now();
    let decided = db::transaction(&app.pool, async |conn| {
        let (mut measure, _) = locked(conn, id).await?;
        let action = match decision {
            Decision::Uphold => {
                rules::may_uphold(&measure)?;
                measure.appeal_state = Some(AppealState::Upheld);
                "measure.uphold"
            }
            Decision::Lift => {
                rules::may_lift(&measure)?;
                lift(conn, &mut measure, now).await?;
                "measure.lift"
            }
        };
        measure.decision = Some(reason.to_owned());
        measure.decided_at = Some(now);
        model::store(conn, &measure).await?;
        let mail = Mail::MeasureDecided {
            measure: measure.kind.as_str().to_owned(),
            lifted: decision == Decision::Lift,
            rule: measure.rule.clone(),
            reason: reason.to_owned(),
        };
        let what = if decision == Decision::Lift { "lifted" } else { "upheld" };
        tell(conn, &measure, what, &mail, now).await?;
        record(conn, actor, action, &measure, reason, now).await?;
        Ok(measure)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(decided)
}

async fn lift(conn: &mut Conn, measure: &mut Measure, now: DateTime<Utc>) -> Result<()> {
    if measure.kind == Kind::Suspension && measure.state == State::InForce {
        lives::resume(conn, measure.account_id, FreezeCause::Measure(measure.id), now).await?;
    }
    if measure.appeal_state == Some(AppealState::Open) {
        measure.appeal_state = Some(AppealState::Lifted);
    }
    measure.state = State::Lifted;
    measure.ended_at = measure.ended_at.or(Some(now));
    Ok(())
}

async fn tell(conn: &mut Conn, measure: &Measure, what: &str, mail: &Mail, now: DateTime<Utc>) -> Result<()> {
    // An account that was erased has no address any more.
    let Ok(buyer) = accounts::load_buyer(conn, measure.account_id).await else { return Ok(()) };
    let Some(address) = buyer.email else { return Ok(()) };
    let to = Recipient { account: Some(buyer.id), address, locale: buyer.locale };
    mails::queue(conn, now, &to, &format!("measure:{}:{what}", measure.id), mail).await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    measure: &Measure,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "measure",
        subject_id: measure.id.to_string(),
        reason: Some(reason),
        detail: json!({
            "account": measure.account_id.to_string(), "kind": measure.kind, "rules": measure.version,
            "money": measure.money, "back_minor": measure.back_minor, "ends_at": measure.ends_at,
        }),
    };
    audit::record(conn, now, entry).await
}
