//! Terms that end before their time: their money went back, or what was given is taken back. As in `service`, the caller has
//! locked the account's row.

use chrono::{DateTime, Utc};

use super::joining::queue_expiry;
use super::model::{self, MembershipRow, Source, Stored, TermRow};
use super::rules;
use super::service::close;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::jobs::{self, Job};
use crate::membership::associates;
use crate::membership::renewals::model as renewals;
use crate::types::id::{LineId, TermId};

/// Ends the term that a line was fulfilled with: its money went back in full. Terms after it move up by what was left of
/// it, so that a membership never has a hole. Where it was an upgrade's, what it replaced and wasn't refunded comes back with
/// the time that is left of it. Where nothing is left the membership closes now, without grace. Does nothing for a line that
/// made no term, one whose term was ended before, or a membership that is closed.
///
/// A term that an upgrade was credited with stands behind that one: an upgrade that was paid for goes first. Where that can't
/// be asked for, since the money is back already (`is_adopted`), the higher tier stays.
///
/// # Errors
/// `refund_later_first`, unless it is adopted.
pub async fn end_term(conn: &mut Conn, line: LineId, is_adopted: bool, now: DateTime<Utc>) -> Result<()> {
    let Some(term) = model::term_of_line(conn, line).await? else { return Ok(()) };
    let upgrades = successors(conn, &term).await?;
    let Some(last) = upgrades.last() else {
        remove(conn, &term, is_adopted, now).await?;
        return Ok(());
    };
    if model::stays_paid_minor(conn, &upgrades).await? == 0 {
        remove(conn, last, is_adopted, now).await?;
    } else if last.ended_at.is_none() && !is_adopted {
        return Err(Code::RefundLaterFirst.error());
    }
    Ok(())
}

/// The terms of upgrades, one after the other, that have replaced this one.
async fn successors(conn: &mut Conn, term: &TermRow) -> Result<Vec<TermRow>> {
    let mut found: Vec<TermRow> = Vec::new();
    let mut next = term.replaced_by;
    while let Some(id) = next {
        let Some(term) = model::find_term(conn, id).await? else { break };
        next = term.replaced_by;
        found.push(term);
    }
    Ok(found)
}

/// Money of these lines goes back: what was quoted for the membership that they count for no longer holds.
///
/// # Errors
/// The database's.
pub async fn paid_back(conn: &mut Conn, lines: &[LineId], now: DateTime<Utc>) -> Result<()> {
    model::raise_versions(conn, lines, now).await
}

/// Takes a term back that was given: what is left of it, as [`end_term`] does. False where nothing is left.
///
/// # Errors
/// The database's.
pub async fn take_back(conn: &mut Conn, term: TermId, now: DateTime<Utc>) -> Result<bool> {
    match model::find_term(conn, term).await? {
        // It can't come back with the others that were replaced with it.
        Some(term) if term.replaced_by.is_some() => {
            model::store_term(conn, &TermRow { replaced_by: None, ..term }).await?;
            Ok(false)
        }
        Some(term) if runs(conn, &term, now).await? => remove(conn, &term, true, now).await,
        Some(_) | None => Ok(false),
    }
}

/// Is a term not over yet, by the time that its membership stands at?
///
/// # Errors
/// The database's.
pub async fn runs(conn: &mut Conn, term: &TermRow, now: DateTime<Utc>) -> Result<bool> {
    let Some(row) = model::find(conn, term.membership_id).await? else { return Ok(false) };
    let at = rules::standing_at(&row, now);
    Ok(term.ended_at.is_none() && term.ends_at.is_none_or(|end| at < end))
}

/// Closes a membership whose last term is over now, without its grace. It is locked.
///
/// # Errors
/// The database's.
pub async fn close_ended(conn: &mut Conn, membership: &mut MembershipRow, now: DateTime<Utc>) -> Result<()> {
    close(conn, membership, Stored::Expired, now).await?;
    model::store(conn, membership).await
}

async fn remove(conn: &mut Conn, term: &TermRow, is_adopted: bool, now: DateTime<Utc>) -> Result<bool> {
    let held = model::lock_all_of(conn, &[term.account_id]).await?;
    let Some(mut membership) = held.into_iter().find(|row| row.id == term.membership_id && row.is_open())
    else {
        return Ok(false);
    };
    // Read again, under the lock.
    let terms = model::terms_of(conn, membership.id).await?;
    let Some(removed) = terms.iter().find(|candidate| candidate.id == term.id) else { return Ok(false) };
    let at = rules::standing_at(&membership, now).max(membership.starts_at);
    let Some(removal) = rules::removal(&terms, removed, at) else { return Ok(false) };
    model::store_term(conn, &TermRow { ended_at: Some(now), ..removed.clone() }).await?;
    let following: Vec<_> =
        terms.iter().filter(|term| removal.following.contains(&term.id)).cloned().collect();
    let back = rules::restored(&replaced(conn, removed.id).await?, at);
    if !back.is_empty() {
        let is_bought = following.iter().any(|term| term.source == Source::Gift)
            || model::stays_paid_minor(conn, &following).await? > 0;
        if !is_bought {
            restore(conn, &mut membership, &back, &following, now).await?;
            take_back_perks(conn, removed, now).await?;
            associates::endings::tend(conn, &membership, now).await?;
            return Ok(true);
        }
        // Bought for the higher tier: it can't stand behind a term of the lower one.
        if !is_adopted {
            return Err(Code::RefundLaterFirst.error());
        }
    }
    for term in &following {
        model::store_term(conn, &rules::moved(term, -removal.moved_up)).await?;
    }
    membership.ends_at = removal.ends_at;
    if removal.closes {
        close(conn, &mut membership, Stored::Expired, now).await?;
    }
    model::store(conn, &membership).await?;
    queue_expiry(conn, &membership, now).await?;
    if removal.closes {
        take_back_perks(conn, removed, now).await?;
    }
    if membership.is_open() {
        associates::endings::tend(conn, &membership, now).await?;
    }
    Ok(true)
}

/// Coupons that were claimed since this term began, and aren't used, go with it.
async fn take_back_perks(conn: &mut Conn, term: &TermRow, now: DateTime<Utc>) -> Result<()> {
    let job = Job::TakeBackPerks { membership: term.membership_id, since: term.starts_at };
    jobs::enqueue(conn, &job, now, now).await?;
    Ok(())
}

/// What an upgrade's term replaced, in order. Of what was refunded since, what that had replaced.
async fn replaced(conn: &mut Conn, upgraded: TermId) -> Result<Vec<TermRow>> {
    let (mut found, mut open) = (Vec::new(), vec![upgraded]);
    while let Some(id) = open.pop() {
        for (term, is_refunded) in model::replaced_by(conn, id).await? {
            if is_refunded { open.push(term.id) } else { found.push(term) }
        }
    }
    found.sort_by_key(|term| (term.starts_at, term.id));
    Ok(found)
}

/// The membership is what it was before an upgrade; what was given since then stands behind that.
async fn restore(
    conn: &mut Conn,
    membership: &mut MembershipRow,
    back: &[TermRow],
    given: &[TermRow],
    now: DateTime<Utc>,
) -> Result<()> {
    let given = rules::behind(back, given);
    for term in back.iter().chain(&given) {
        model::store_term(conn, term).await?;
    }
    if let Some(last) = back.iter().chain(&given).last() {
        membership.tier_id = last.tier_id;
        membership.ends_at = last.ends_at;
    }
    renewals::drop_planned(conn, membership.id).await?;
    membership.plan_id = back.iter().rev().find_map(|term| term.plan_id);
    model::store(conn, membership).await?;
    queue_expiry(conn, membership, now).await
}
