//! Memberships that begin or get longer, set by set, and the numbers of who has one for the first time.
//!
//! As in `service`, the caller has locked the accounts' rows; the chapters' counters are locked last.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::model::{self, MembershipRow, Source, Stored, TermRow};
use super::numbers::{self, NewNumber};
use super::rules::{self, GRACE, Joining, Span};
use crate::db::Conn;
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job};
use crate::membership::associates;
use crate::membership::benefits::service as benefits;
use crate::membership::renewals::model as renewals;
use crate::membership::renewals::rules::ANNOUNCE_BEFORE;
use crate::membership::{measures, moves};
use crate::types::id::{AccountId, ChapterId, LineId, MembershipId, PlanId, TermId, TierId};
use crate::types::period::Term;

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

/// What it made, or made longer.
pub(super) struct Added {
    pub membership: MembershipRow,
    pub term: TermRow,
    pub extended: bool,
}

/// Adds a term to an account whose memberships (`held`, newest first) are locked.
pub(super) async fn add_term(conn: &mut Conn, held: &[MembershipRow], addition: Addition) -> Result<Added> {
    let added = add_terms(conn, held, &[addition]).await?.pop();
    added.ok_or_else(|| AppError::internal("no term was added"))
}

/// Adds terms, each to another account; the memberships of all of them (`held`, newest first) are locked. In the order of the
/// additions.
pub(super) async fn add_terms(
    conn: &mut Conn,
    held: &[MembershipRow],
    additions: &[Addition],
) -> Result<Vec<Added>> {
    let mut added = Vec::with_capacity(additions.len());
    let mut beginnings = Vec::with_capacity(additions.len());
    for addition in additions {
        let own = || held.iter().filter(|row| row.account_id == addition.account);
        let open = own().find(|row| row.is_open()).cloned();
        let chapter = own().next().map(|row| row.chapter_id);
        match (rules::joining(open.as_ref(), addition.tier, addition.now, GRACE)?, open) {
            (Joining::Extends, Some(open)) => added.push(extend(conn, open, addition).await?),
            (Joining::Extends | Joining::Anew, over) => {
                beginnings.push(Beginning { addition, over, chapter });
            }
        }
    }
    added.extend(start(conn, beginnings).await?);
    let Some(now) = additions.iter().map(|addition| addition.now).next() else { return Ok(added) };
    let queued: Vec<_> = added.iter().filter_map(|added| expiry(&added.membership, now)).flatten().collect();
    jobs::enqueue_all(conn, &queued, now).await?;
    let places: HashMap<_, _> =
        additions.iter().enumerate().map(|(place, addition)| (addition.account, place)).collect();
    added.sort_by_key(|added| places.get(&added.membership.account_id).copied());
    Ok(added)
}

/// A membership that is to begin.
struct Beginning<'a> {
    addition: &'a Addition,
    /// One that is still open though its time is over.
    over: Option<MembershipRow>,
    /// Of the last one.
    chapter: Option<ChapterId>,
}

async fn start(conn: &mut Conn, beginnings: Vec<Beginning<'_>>) -> Result<Vec<Added>> {
    let Some(now) = beginnings.iter().map(|one| one.addition.now).next() else { return Ok(Vec::new()) };
    let accounts: Vec<_> = beginnings.iter().map(|one| one.addition.account).collect();
    associates::endings::have_own(conn, &accounts, now).await?;
    if !measures::model::expelled_of(conn, &accounts).await?.is_empty() {
        return Err(Code::Expelled.error());
    }
    for over in beginnings.iter().filter_map(|one| one.over.clone()) {
        let over = MembershipRow { state: Stored::Expired, closed_at: Some(now), ..over };
        model::store(conn, &over).await?;
        associates::endings::head_is_over(conn, over.id, now).await?;
    }
    let new: Vec<_> =
        beginnings.iter().filter(|one| one.chapter.is_none()).map(|one| one.addition.account).collect();
    let chapters = first_chapters(conn, &new).await?;
    let mut added = Vec::with_capacity(beginnings.len());
    for Beginning { addition, chapter, .. } in beginnings {
        let chapter = chapter.or_else(|| chapters.get(&addition.account).copied());
        let chapter = chapter.ok_or_else(|| AppError::internal("no chapter to join"))?;
        let span = rules::first_span(addition.term, addition.now, addition.zone);
        let membership = new_membership(chapter, &span, addition);
        let term = new_term(&membership, &span, addition);
        added.push((addition.source == Source::Trial, Added { membership, term, extended: false }));
    }
    model::insert(conn, added.iter().map(|(_, one)| &one.membership)).await?;
    model::insert_terms(conn, added.iter().map(|(_, one)| &one.term)).await?;
    for is_trial in [false, true] {
        let of = added.iter().filter(|(tries, _)| *tries == is_trial).map(|(_, one)| &one.membership);
        benefits::reached(conn, &of.collect::<Vec<_>>(), is_trial, now).await?;
    }
    Ok(added.into_iter().map(|(_, one)| one).collect())
}

fn new_membership(chapter_id: ChapterId, span: &Span, addition: &Addition) -> MembershipRow {
    MembershipRow {
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
    }
}

/// Where new members join: the chapter that each chose, or the default one.
async fn first_chapters(conn: &mut Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, ChapterId>> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let mut chapters = model::chosen_chapters(conn, accounts).await?;
    moves::model::drop_choices(conn, accounts).await?;
    if accounts.iter().any(|account| !chapters.contains_key(account)) {
        let default = model::default_chapter(conn).await?;
        for account in accounts {
            chapters.entry(*account).or_insert(default);
        }
    }
    Ok(chapters)
}

/// The membership is locked.
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
        benefits::reached(conn, &[&membership], false, addition.now).await?;
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

/// The account's number; the first time the next one of the chapter, which stays the account's for ever.
pub(in crate::membership) async fn number_for(
    conn: &mut Conn,
    account: AccountId,
    chapter: ChapterId,
    now: DateTime<Utc>,
) -> Result<String> {
    let number = numbers_for(conn, &[(account, chapter)], now).await?.pop();
    number.ok_or_else(|| AppError::internal("no number was given"))
}

/// [`number_for`] for many, each account once; who comes first gets the earlier one. Locks the chapters by id.
pub(super) async fn numbers_for(
    conn: &mut Conn,
    members: &[(AccountId, ChapterId)],
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let accounts: Vec<_> = members.iter().map(|(account, _)| *account).collect();
    let mut known = numbers::of_all(conn, &accounts).await?;
    let mut asked: BTreeMap<ChapterId, Vec<AccountId>> = BTreeMap::new();
    for (account, chapter) in members {
        if !known.contains_key(account) {
            asked.entry(*chapter).or_default().push(*account);
        }
    }
    let mut rows = Vec::with_capacity(members.len());
    for (chapter_id, accounts) in asked {
        let (prefix, first) = numbers::take_sequences(conn, chapter_id, accounts.len()).await?;
        for (account_id, sequence) in accounts.into_iter().zip(first..) {
            let number = rules::member_number(&prefix, sequence);
            known.insert(account_id, number.clone());
            rows.push(NewNumber { number, account_id, chapter_id, sequence, given_at: now });
        }
    }
    NewNumber::insert(&mut &*conn, rows).await?;
    let number = |account| known.get(&account).cloned();
    let numbers: Option<Vec<_>> = accounts.into_iter().map(number).collect();
    numbers.ok_or_else(|| AppError::internal("a member without a number"))
}

/// Queues the jobs that look after the end of a membership: what comes before it, and closing it once its grace is over. Called
/// whenever the end may have changed; a job that comes to a membership that isn't due finds another one queued for it.
pub(super) async fn queue_expiry(
    conn: &mut Conn,
    membership: &MembershipRow,
    now: DateTime<Utc>,
) -> Result<()> {
    let queued: Vec<_> = expiry(membership, now).into_iter().flatten().collect();
    jobs::enqueue_all(conn, &queued, now).await?;
    Ok(())
}

fn expiry(membership: &MembershipRow, now: DateTime<Utc>) -> Option<[(Job, DateTime<Utc>); 2]> {
    let end = membership.ends_at.filter(|_| membership.state == Stored::Active)?;
    let close = Job::ExpireMembership { membership: membership.id };
    let renew = Job::Renew { membership: membership.id, ends_at: end };
    Some([(close, (end + GRACE).max(now)), (renew, (end - ANNOUNCE_BEFORE).max(now))])
}
