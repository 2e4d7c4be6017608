//! What happens to memberships: activation, extension, upgrade, freeze, revocation, expiry. Ends by refund are in `ending`.
//!
//! Every function here that takes a connection runs in the caller's transaction, and the caller has locked the account's
//! row. They lock the account's memberships and, last, the chapter's counter.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::joining::{Added, Addition, add_term, add_terms, number_for, numbers_for, queue_expiry};
use super::model::{self, MembershipRow, Source, Stored, TermRow};
use super::rules::{self, FreezeCause, GRACE, Joining, Life, Span};
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job, Outcome};
use crate::membership::associates;
use crate::membership::benefits::service as benefits;
use crate::membership::freezes::model as freezes;
use crate::membership::plans::model::Plan;
use crate::membership::renewals::model as renewals;
use crate::membership::{plans, trials};
use crate::types::id::{AccountId, LineId, MembershipId, PlanId, TermId};
use crate::types::period::Term;

/// A paid line that makes or lengthens a membership.
#[derive(Clone, Debug)]
pub struct Activation {
    pub account: AccountId,
    pub plan: PlanId,
    pub line: LineId,
    /// Money paid for the line and credit used for it.
    pub value_minor: i64,
    pub now: DateTime<Utc>,
    /// The shop's.
    pub zone: Tz,
}

/// What an activation made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activated {
    pub membership: MembershipId,
    pub term: TermId,
    pub number: String,
    pub tier_zh: String,
    pub tier_en: String,
    /// Of the new term.
    pub starts_at: DateTime<Utc>,
    /// Of the new term, exclusive; none is for life.
    pub ends_at: Option<DateTime<Utc>>,
    /// True where an open membership got longer.
    pub extended: bool,
}

impl Activated {
    pub(super) fn of(added: &Added, number: String, plan: &Plan) -> Self {
        Self {
            membership: added.membership.id,
            term: added.term.id,
            number,
            tier_zh: plan.tier_zh.clone(),
            tier_en: plan.tier_en.clone(),
            starts_at: added.term.starts_at,
            ends_at: added.term.ends_at,
            extended: added.extended,
        }
    }
}

/// Fulfils paid plans, each of another account: a new membership from now on, or one more term from the end of the one that is
/// open. An account's first activation gives it its number; the numbers follow the order of the activations.
///
/// # Errors
/// As [`rules::joining`] when an account's membership no longer allows it, or the database's.
pub async fn activate(conn: &mut Conn, activations: &[Activation]) -> Result<Vec<Activated>> {
    let Some(now) = activations.iter().map(|one| one.now).next() else { return Ok(Vec::new()) };
    let accounts: Vec<_> = activations.iter().map(|one| one.account).collect();
    let ids: Vec<_> = activations.iter().map(|one| one.plan).collect();
    let (plans, held) =
        tokio::try_join!(plans::model::load(conn, &ids), model::lock_all_of(conn, &accounts))?;
    let mut sold = Vec::with_capacity(activations.len());
    for activation in activations {
        let plan = plans.iter().find(|plan| plan.id == activation.plan);
        sold.push((activation, plan.ok_or_else(|| AppError::internal("a sold plan is gone"))?));
    }
    let additions: Vec<_> = sold.iter().map(|(activation, plan)| addition(activation, plan)).collect();
    let added = add_terms(conn, &held, &additions).await?;
    let members: Vec<_> =
        added.iter().map(|added| (added.membership.account_id, added.membership.chapter_id)).collect();
    let numbers = numbers_for(conn, &members, now).await?;
    let made = added.into_iter().zip(numbers).zip(&sold);
    Ok(made.map(|((added, number), (_, plan))| Activated::of(&added, number, plan)).collect())
}

fn addition(activation: &Activation, plan: &Plan) -> Addition {
    Addition {
        account: activation.account,
        tier: plan.tier,
        plan: Some(plan.id),
        term: plan.term,
        source: Source::Order,
        line: Some(activation.line),
        value_minor: activation.value_minor,
        now: activation.now,
        zone: activation.zone,
    }
}

/// A paid line that changes a membership to another tier.
#[derive(Clone, Debug)]
pub struct Upgrading {
    pub line: LineId,
    /// Paid for the line, by money and store credit.
    pub paid_minor: i64,
    pub credited_minor: i64,
    pub span: Span,
    pub now: DateTime<Utc>,
}

/// Replaces the terms of a membership that aren't over by one of another tier's plan. The membership and its account are
/// locked.
///
/// # Errors
/// The database's.
pub async fn upgrade(
    conn: &mut Conn,
    mut membership: MembershipRow,
    plan: &Plan,
    upgrading: &Upgrading,
) -> Result<Activated> {
    let Upgrading { line, paid_minor, credited_minor, span, now } = *upgrading;
    let (value_from, value_seconds) = rules::value_span(&span, now);
    let term = TermRow {
        id: TermId::new(),
        membership_id: membership.id,
        account_id: membership.account_id,
        source: Source::Order,
        line_id: Some(line),
        tier_id: plan.tier,
        plan_id: Some(plan.id),
        anchor_at: span.anchor_at,
        starts_at: span.starts_at,
        ends_at: span.ends_at,
        value_minor: paid_minor + credited_minor,
        value_from,
        value_seconds,
        ended_at: None,
        created_at: now,
        credited_minor,
        replaced_by: None,
    };
    model::insert_term(conn, &term).await?;
    for replaced in model::terms_of(conn, membership.id).await? {
        if replaced.id != term.id && replaced.ends_at.is_none_or(|end| end > now) {
            let replaced = TermRow { ended_at: Some(now), replaced_by: Some(term.id), ..replaced };
            model::store_term(conn, &replaced).await?;
        }
    }
    renewals::drop_planned(conn, membership.id).await?;
    membership.tier_id = plan.tier;
    membership.plan_id = Some(plan.id);
    membership.ends_at = span.ends_at;
    model::store(conn, &membership).await?;
    queue_expiry(conn, &membership, now).await?;
    benefits::reached(conn, &[&membership], false, now).await?;
    let number = number_for(conn, membership.account_id, membership.chapter_id, now).await?;
    Ok(Activated {
        membership: membership.id,
        term: term.id,
        number,
        tier_zh: plan.tier_zh.clone(),
        tier_en: plan.tier_en.clone(),
        starts_at: term.starts_at,
        ends_at: term.ends_at,
        extended: false,
    })
}

/// Terms of a membership that weren't ended before their time, each with the value that stayed paid for it.
///
/// # Errors
/// The database's.
pub async fn valued_terms(conn: &mut Conn, membership: MembershipId) -> Result<Vec<TermRow>> {
    let terms = model::terms_of(conn, membership).await?;
    valued(conn, terms).await
}

/// All terms of a membership, each with the value that stayed paid for it.
///
/// # Errors
/// The database's.
pub async fn all_valued_terms(conn: &Conn, membership: MembershipId) -> Result<Vec<TermRow>> {
    let terms = model::all_terms_of(conn, membership).await?;
    valued(conn, terms).await
}

/// These terms, each with the value that stayed paid for it.
pub(super) async fn valued(conn: &Conn, terms: Vec<TermRow>) -> Result<Vec<TermRow>> {
    let back = model::paid_back(conn, &terms).await?;
    Ok(rules::less_paid_back(terms, &back))
}

/// Has the account a membership that runs and has an end: one that can be lengthened?
///
/// # Errors
/// The database's.
pub async fn is_running(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<bool> {
    let open = model::open_of(conn, &[account]).await?;
    Ok(open.first().is_some_and(|row| can_be_lengthened(row, now)))
}

fn can_be_lengthened(row: &MembershipRow, now: DateTime<Utc>) -> bool {
    rules::life(row, now, GRACE) == Life::Active
        && rules::joining(Some(row), row.tier_id, now, GRACE) == Ok(Joining::Extends)
}

/// So many days more for the membership that runs, as a term that is worth nothing.
///
/// # Errors
/// `membership_not_open` where [`is_running`] is false.
pub async fn lengthen(
    conn: &mut Conn,
    account: AccountId,
    days: u32,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<TermId> {
    let held = model::lock_all_of(conn, &[account]).await?;
    let open = held.iter().find(|row| row.is_open() && can_be_lengthened(row, now));
    let tier = open.ok_or(Code::MembershipNotOpen)?.tier_id;
    let addition = Addition {
        account,
        tier,
        plan: None,
        term: Term::Days(days),
        source: Source::Extension,
        line: None,
        value_minor: 0,
        now,
        zone,
    };
    Ok(add_term(conn, &held, addition).await?.term.id)
}

pub(in crate::membership) async fn close(
    conn: &mut Conn,
    membership: &mut MembershipRow,
    state: Stored,
    now: DateTime<Utc>,
) -> Result<()> {
    membership.state = state;
    membership.frozen_at = None;
    membership.frozen_causes.clear();
    membership.closed_at = Some(now);
    associates::endings::head_is_over(conn, membership.id, now).await?;
    freezes::end(conn, membership.id, now).await
}

/// Freezes the account's membership, or adds a cause to a frozen one. False where there is none that could be frozen or
/// the cause holds already.
///
/// # Errors
/// The database's.
pub async fn freeze(
    conn: &mut Conn,
    account: AccountId,
    cause: FreezeCause,
    now: DateTime<Utc>,
) -> Result<bool> {
    let Some(mut membership) = lock_running(conn, account, now).await? else { return Ok(false) };
    let cause = cause.to_string();
    if membership.frozen_causes.contains(&cause) {
        return Ok(false);
    }
    membership.frozen_causes.push(cause);
    membership.frozen_at = membership.frozen_at.or(Some(now));
    membership.state = Stored::Frozen;
    model::store(conn, &membership).await?;
    Ok(true)
}

/// Takes a cause of a freeze away. When it was the last one the membership resumes and the frozen time is given back: the
/// running term gets longer by it and later ones start later. False where it wasn't frozen for that cause.
///
/// # Errors
/// The database's.
pub async fn resume(
    conn: &mut Conn,
    account: AccountId,
    cause: FreezeCause,
    now: DateTime<Utc>,
) -> Result<bool> {
    let is_own = cause == FreezeCause::Member;
    let cause = cause.to_string();
    let Some(mut membership) = lock_running(conn, account, now).await? else { return Ok(false) };
    let Some(frozen_at) = membership.frozen_at.filter(|_| membership.frozen_causes.contains(&cause)) else {
        return Ok(false);
    };
    membership.frozen_causes.retain(|held| *held != cause);
    if is_own {
        freezes::end(conn, membership.id, now).await?;
    }
    if membership.frozen_causes.is_empty() {
        let given_back = now - frozen_at;
        let mut end = membership.ends_at;
        // What an upgrade has replaced gets its time too: it may come back.
        let terms = model::all_terms_of(conn, membership.id).await?;
        for term in terms.iter().filter(|term| term.ended_at.is_none() || term.replaced_by.is_some()) {
            if let Some(thawed) = rules::thawed(term, frozen_at, given_back) {
                end = if term.ended_at.is_none() { thawed.ends_at } else { end };
                model::store_term(conn, &thawed).await?;
            }
        }
        let is_last = |term: &&TermRow| term.ended_at.is_none() && term.ends_at == membership.ends_at;
        let last = terms.iter().find(is_last);
        if let Some(kept) = last.and_then(|last| rules::grace_kept(last, frozen_at, given_back)) {
            end = kept.ends_at;
            model::store_term(conn, &kept).await?;
        }
        membership.ends_at = end;
        // Rounded up: no period begins before its time.
        membership.rested_seconds += given_back.num_seconds() + i64::from(given_back.subsec_nanos() > 0);
        membership.state = Stored::Active;
        membership.frozen_at = None;
        let tried = terms.iter().filter(|term| term.source == Source::Trial);
        trials::service::resumed(conn, &tried.map(|term| term.id).collect::<Vec<_>>(), now).await?;
    }
    model::store(conn, &membership).await?;
    queue_expiry(conn, &membership, now).await?;
    Ok(true)
}

/// Ends the account's membership for good, with all its terms. False where none is open.
///
/// # Errors
/// The database's.
pub async fn revoke(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<bool> {
    let Some(mut membership) = lock_running(conn, account, now).await? else { return Ok(false) };
    let at = rules::standing_at(&membership, now);
    for term in model::terms_of(conn, membership.id).await? {
        if term.ends_at.is_none_or(|end| end > at) {
            model::store_term(conn, &TermRow { ended_at: Some(now), ..term }).await?;
        }
    }
    close(conn, &mut membership, Stored::Revoked, now).await?;
    model::store(conn, &membership).await?;
    jobs::enqueue(
        conn,
        &Job::TakeBackPerks { membership: membership.id, since: membership.starts_at },
        now,
        now,
    )
    .await?;
    Ok(true)
}

/// The open membership of an account, locked; none where it is over by date.
async fn lock_running(
    conn: &mut Conn,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<Option<MembershipRow>> {
    let held = model::lock_all_of(conn, &[account]).await?;
    let open = held.into_iter().find(MembershipRow::is_open);
    Ok(open.filter(|row| rules::life(row, now, GRACE) != Life::Expired))
}

/// The job [`Job::ExpireMembership`].
///
/// # Errors
/// The database's.
pub async fn expire(app: &App, membership: MembershipId) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| close_if_over(conn, membership, now).await).await?;
    Ok(Outcome::Done)
}

/// Closes a membership whose grace is over, and ends the seats that hang on it.
///
/// # Errors
/// The database's.
pub async fn close_if_over(conn: &mut Conn, id: MembershipId, now: DateTime<Utc>) -> Result<()> {
    if model::close_if_ended_by(conn, id, now - GRACE, now).await? {
        associates::endings::head_is_over(conn, id, now).await?;
    }
    Ok(())
}
