//! What happens to memberships: activation, extension, upgrade, freeze, revocation, expiry. Ends by refund are in `ending`.
//!
//! Every function here that takes a connection runs in the caller's transaction, and the caller has locked the account's
//! row. They lock the account's memberships and, last, the chapter's counter.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

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
use crate::membership::renewals::rules::ANNOUNCE_BEFORE;
use crate::membership::{measures, moves, plans, trials};
use crate::types::id::{AccountId, ChapterId, LineId, MembershipId, PlanId, TermId, TierId};
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

/// Fulfils a paid plan: a new membership from now on, or one more term from the end of the one that is open. An account's
/// first activation gives it its number.
///
/// # Errors
/// As [`rules::joining`] when the account's membership no longer allows it (the money goes back then), or the
/// database's.
pub async fn activate(conn: &mut Conn, activation: &Activation) -> Result<Activated> {
    let plan = plans::model::load(conn, &[activation.plan]).await?.pop();
    let plan = plan.ok_or_else(|| AppError::internal("a sold plan is gone"))?;
    let held = model::lock_all_of(conn, activation.account).await?;
    let addition = Addition {
        account: activation.account,
        tier: plan.tier,
        plan: Some(plan.id),
        term: plan.term,
        source: Source::Order,
        line: Some(activation.line),
        value_minor: activation.value_minor,
        now: activation.now,
        zone: activation.zone,
    };
    let added = add_term(conn, held, &addition).await?;
    let number = number_for(conn, addition.account, added.membership.chapter_id, addition.now).await?;
    Ok(Activated {
        membership: added.membership.id,
        term: added.term.id,
        number,
        tier_zh: plan.tier_zh,
        tier_en: plan.tier_en,
        starts_at: added.term.starts_at,
        ends_at: added.term.ends_at,
        extended: added.extended,
    })
}

/// One more term, wherever it comes from.
pub(super) struct Addition {
    pub account: AccountId,
    pub tier: TierId,
    pub plan: Option<PlanId>,
    pub term: Term,
    pub source: Source,
    pub line: Option<LineId>,
    pub value_minor: i64,
    pub now: DateTime<Utc>,
    pub zone: Tz,
}

pub(super) struct Added {
    pub membership: MembershipRow,
    pub term: TermRow,
    pub extended: bool,
}

/// Adds a term to the account whose memberships (`held`, newest first) are locked.
pub(super) async fn add_term(
    conn: &mut Conn,
    held: Vec<MembershipRow>,
    addition: &Addition,
) -> Result<Added> {
    let chapter = held.first().map(|row| row.chapter_id);
    let open = held.into_iter().find(MembershipRow::is_open);
    let joining = rules::joining(open.as_ref(), addition.tier, addition.now, GRACE)?;
    if joining == Joining::Anew {
        associates::endings::has_own(conn, addition.account, addition.now).await?;
    }
    let added = match (joining, open) {
        (Joining::Extends, Some(open)) => extend(conn, open, addition).await?,
        (Joining::Extends | Joining::Anew, open) => start(conn, open, chapter, addition).await?,
    };
    queue_expiry(conn, &added.membership, addition.now).await?;
    Ok(added)
}

async fn start(
    conn: &mut Conn,
    over: Option<MembershipRow>,
    chapter: Option<ChapterId>,
    addition: &Addition,
) -> Result<Added> {
    if !measures::model::expelled_of(conn, &[addition.account]).await?.is_empty() {
        return Err(Code::Expelled.error());
    }
    if let Some(mut row) = over {
        row.state = Stored::Expired;
        row.closed_at = Some(addition.now);
        model::store(conn, &row).await?;
        associates::endings::head_is_over(conn, row.id, addition.now).await?;
    }
    let chapter_id = match chapter {
        Some(chapter) => chapter,
        None => first_chapter(conn, addition.account).await?,
    };
    let span = rules::first_span(addition.term, addition.now, addition.zone);
    let membership = MembershipRow {
        id: MembershipId::new(),
        account_id: addition.account,
        tier_id: addition.tier,
        plan_id: addition.plan,
        chapter_id,
        state: Stored::Active,
        starts_at: span.starts_at,
        ends_at: span.ends_at,
        frozen_at: None,
        frozen_causes: Vec::new(),
        closed_at: None,
        version: 1,
        rested_seconds: 0,
    };
    model::insert(conn, &membership).await?;
    let term = new_term(&membership, &span, addition);
    model::insert_term(conn, &term).await?;
    benefits::reached(conn, &membership, addition.source == Source::Trial, addition.now).await?;
    Ok(Added { membership, term, extended: false })
}

/// Where a new member joins: the chapter that he chose, or the default one.
async fn first_chapter(conn: &mut Conn, account: AccountId) -> Result<ChapterId> {
    let chosen = model::chosen_chapter(conn, account).await?;
    moves::model::drop_choice(conn, account).await?;
    match chosen {
        Some(chapter) => Ok(chapter),
        None => model::default_chapter(conn).await,
    }
}

async fn extend(conn: &mut Conn, mut membership: MembershipRow, addition: &Addition) -> Result<Added> {
    let end = membership.ends_at.ok_or(Code::AlreadyForLife)?;
    let terms = model::terms_of(conn, membership.id).await?;
    let anchor = terms.last().map_or(end, |term| term.anchor_at);
    let span = rules::next_span(anchor, end, addition.term, addition.zone);
    let term = new_term(&membership, &span, addition);
    model::insert_term(conn, &term).await?;
    membership.ends_at = span.ends_at;
    let plan_id = match addition.source {
        // A gift is no change of what the member has bought, nor of how that goes on.
        Source::Gift => membership.plan_id.or(addition.plan),
        Source::Order | Source::Grant | Source::Extension | Source::Trial => {
            addition.plan.or(membership.plan_id)
        }
    };
    if plan_id != membership.plan_id {
        renewals::drop_planned(conn, membership.id).await?;
        membership.plan_id = plan_id;
    }
    model::store(conn, &membership).await?;
    // Who had tried it has joined now.
    if addition.source != Source::Trial && terms.iter().all(|term| term.source == Source::Trial) {
        benefits::reached(conn, &membership, false, addition.now).await?;
    }
    Ok(Added { membership, term, extended: true })
}

fn new_term(membership: &MembershipRow, span: &Span, addition: &Addition) -> TermRow {
    let (value_from, value_seconds) = rules::value_span(span, addition.now);
    TermRow {
        id: TermId::new(),
        membership_id: membership.id,
        account_id: addition.account,
        source: addition.source,
        line_id: addition.line,
        tier_id: addition.tier,
        plan_id: addition.plan,
        anchor_at: span.anchor_at,
        starts_at: span.starts_at,
        ends_at: span.ends_at,
        value_minor: addition.value_minor,
        value_from,
        value_seconds,
        ended_at: None,
        created_at: addition.now,
        credited_minor: 0,
        replaced_by: None,
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
    benefits::reached(conn, &membership, false, now).await?;
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

/// The account's number; the first time the next one of the chapter, which stays the account's for ever.
pub(in crate::membership) async fn number_for(
    conn: &mut Conn,
    account: AccountId,
    chapter: ChapterId,
    now: DateTime<Utc>,
) -> Result<String> {
    if let Some(number) = model::number_of(conn, account).await? {
        return Ok(number);
    }
    let (prefix, sequence) = model::take_sequence(conn, chapter).await?;
    let number = rules::member_number(&prefix, sequence);
    model::insert_number(conn, &number, account, chapter, sequence, now).await?;
    Ok(number)
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
    let held = model::lock_all_of(conn, account).await?;
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
    Ok(add_term(conn, held, &addition).await?.term.id)
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
    let held = model::lock_all_of(conn, account).await?;
    let open = held.into_iter().find(MembershipRow::is_open);
    Ok(open.filter(|row| rules::life(row, now, GRACE) != Life::Expired))
}

/// Queues the jobs that look after the end of a membership: what comes before it, and closing it once its grace is over. Called
/// whenever the end may have changed; a job that comes to a membership that isn't due finds another one queued for it.
pub(super) async fn queue_expiry(
    conn: &mut Conn,
    membership: &MembershipRow,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(end) = membership.ends_at.filter(|_| membership.state == Stored::Active) else { return Ok(()) };
    let job = Job::ExpireMembership { membership: membership.id };
    let renew = Job::Renew { membership: membership.id, ends_at: end };
    let queued = [(job, (end + GRACE).max(now)), (renew, (end - ANNOUNCE_BEFORE).max(now))];
    jobs::enqueue_all(conn, &queued, now).await?;
    Ok(())
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
