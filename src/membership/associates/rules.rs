//! Who may invite and accept, how many seats there are, and which of them are too many.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{AssociateRow, Seats, State};
use crate::error::Code;
use crate::membership::memberships::model::{MembershipRow, TermRow};
use crate::membership::memberships::rules::{GRACE, Life, life};
use crate::types::id::{AssociateId, PlanId, TermId};

/// An invitation that nobody answers holds its seat for that long.
pub const INVITATION_LIFE: TimeDelta = TimeDelta::days(30);

/// May this membership's seats be given away now? As long as it gives access, so in grace too.
///
/// # Errors
/// `membership_not_open`, `membership_frozen`
pub fn may_seat(head: Option<&MembershipRow>, now: DateTime<Utc>) -> Result<(), Code> {
    match head.map(|row| life(row, now, GRACE)) {
        Some(Life::Active | Life::Grace) => Ok(()),
        Some(Life::Frozen) => Err(Code::MembershipFrozen),
        Some(Life::Expired | Life::Revoked) | None => Err(Code::MembershipNotOpen),
    }
}

/// May whoever has this address take the seat?
///
/// # Errors
/// `invitation_not_yours`, `invitation_expired` (withdrawn and declined ones too).
pub fn may_take(row: &AssociateRow, email_key: Option<&str>, now: DateTime<Utc>) -> Result<(), Code> {
    if row.state != State::Invited || row.expires_at <= now {
        return Err(Code::InvitationExpired);
    }
    if email_key.is_none() || row.email_key.as_deref() != email_key {
        return Err(Code::InvitationNotYours);
    }
    Ok(())
}

/// May somebody become an associate whose own membership is this? Not while it runs or rests: he would lose it. What is over
/// by date doesn't hold him, in grace or not.
///
/// # Errors
/// `has_membership`
pub fn may_give_up(own: Option<&MembershipRow>, now: DateTime<Utc>) -> Result<(), Code> {
    match own.map(|row| life(row, now, GRACE)) {
        Some(Life::Active | Life::Frozen) => Err(Code::HasMembership),
        Some(Life::Grace | Life::Expired | Life::Revoked) | None => Ok(()),
    }
}

/// What gives seats at a moment, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Giving {
    pub term: TermId,
    pub seats: i32,
}

/// The plan of the term that runs at that moment gives the seats; in grace and in days that were given, that of the one
/// before. `terms` are those of a membership that weren't ended, in order.
pub fn giving(terms: &[TermRow], seats: &HashMap<PlanId, i32>, at: DateTime<Utc>) -> Option<Giving> {
    let started = terms.iter().rev().filter(|term| term.starts_at <= at);
    started
        .filter_map(|term| Some((term.id, term.plan_id?)))
        .next()
        .map(|(term, plan)| Giving { term, seats: seats.get(&plan).copied().unwrap_or(0) })
}

/// How many more may be invited: as many as the plan gives, less what is in use.
pub fn left(giving: Option<Giving>, in_use: usize) -> i32 {
    let seats = giving.map_or(0, |giving| giving.seats);
    (seats - i32::try_from(in_use).unwrap_or(i32::MAX)).max(0)
}

/// Of the open seats those that are more than the plan gives, and that no term any more gives which runs: invitations go first,
/// then who came last. What was given by the term that runs, or by one that an upgrade to it has replaced, stays to its end
/// however few seats there are. `terms` are all of the membership.
pub fn surplus(open: &[AssociateRow], giving: Option<Giving>, terms: &[TermRow]) -> Vec<AssociateId> {
    let seats = giving.map_or(0, |giving| usize::try_from(giving.seats).unwrap_or(0));
    let over = open.len().saturating_sub(seats);
    let is_promised = |row: &&AssociateRow| giving.is_some_and(|now| leads_to(terms, row.term_id, now.term));
    let mut may_go: Vec<_> = open.iter().filter(|row| !is_promised(row)).collect();
    may_go.sort_by_key(|row| (row.state == State::Active, Reverse(row.id)));
    may_go.into_iter().take(over).map(|row| row.id).collect()
}

/// Is it that term, or one that it replaced?
fn leads_to(terms: &[TermRow], from: TermId, to: TermId) -> bool {
    let mut at = Some(from);
    // A term is replaced by a later one, so there is an end to it.
    for _ in 0..=terms.len() {
        match at {
            Some(id) if id == to => return true,
            Some(id) => at = terms.iter().find(|term| term.id == id).and_then(|term| term.replaced_by),
            None => return false,
        }
    }
    false
}

/// Seats after some more are held and taken (or fewer). The capacity is what the plan gives, and never less than what is in use.
pub fn moved(seats: Seats, held: i32, taken: i32, giving: Option<Giving>) -> Seats {
    let (held, taken) = (seats.held + held, seats.taken + taken);
    let given = giving.map_or(0, |giving| giving.seats);
    Seats { held, taken, capacity: given.max(held + taken), ..seats }
}

#[cfg(test)]
mod tests;
