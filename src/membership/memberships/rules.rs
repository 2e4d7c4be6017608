//! The life of a membership and the worth of its terms. Where a membership is frozen its time stands still: rules about
//! its terms are then asked about the moment it was frozen ([`standing_at`]).

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use chrono_tz::Tz;

use super::model::{MembershipRow, PaidBack, Stored, TermRow};
use crate::error::Code;
use crate::types::id::{DisputeId, MeasureId, TermId, TierId};
use crate::types::money::{OutOfRange, scale_minor};
use crate::types::period::Term;
use crate::types::stored::stored_enum;

/// For that long after its end a membership still gives access and may be bought again without a gap.
pub const GRACE: TimeDelta = TimeDelta::days(7);

/// A membership that has more than that ahead is long enough: extending it is refused, so that ends stay in the calendar.
const LONGEST_AHEAD: TimeDelta = TimeDelta::days(36_525);

stored_enum! {
    /// Where a membership stands now.
    Life {
        Active = "active",
        /// Over since less than [`GRACE`].
        Grace = "grace",
        Frozen = "frozen",
        Expired = "expired",
        Revoked = "revoked",
    }
}

/// Why a membership is frozen. Several causes may hold at once; the last one that goes lets it resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreezeCause {
    Operator,
    /// The member asked for it.
    Member,
    Dispute(DisputeId),
    /// A suspension by the rules of the community.
    Measure(MeasureId),
}

impl std::fmt::Display for FreezeCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Member => f.write_str("member"),
            Self::Dispute(dispute) => write!(f, "dispute:{dispute}"),
            Self::Measure(measure) => write!(f, "measure:{measure}"),
        }
    }
}

/// The state that follows from dates: a row whose end has passed counts as over before the job has closed it. Ends are
/// exclusive: at its very end a term is over, and at the end of grace so is grace.
pub fn life(row: &MembershipRow, now: DateTime<Utc>, grace: TimeDelta) -> Life {
    match (row.state, row.ends_at) {
        (Stored::Revoked, _) => Life::Revoked,
        (Stored::Expired, _) => Life::Expired,
        (Stored::Frozen, _) => Life::Frozen,
        (Stored::Active, Some(end)) if end + grace <= now => Life::Expired,
        (Stored::Active, Some(end)) if end <= now => Life::Grace,
        (Stored::Active, _) => Life::Active,
    }
}

/// Does it open doors now?
pub fn gives_access(life: Life) -> bool {
    matches!(life, Life::Active | Life::Grace)
}

/// The time by which its terms are judged: while it is frozen, that of the freeze.
pub fn standing_at(row: &MembershipRow, now: DateTime<Utc>) -> DateTime<Utc> {
    row.frozen_at.unwrap_or(now)
}

/// What a new term of a tier does to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// A membership starts; an open one that is over is closed first.
    Anew,
    /// The open one gets longer, from its end on.
    Extends,
}

/// Terms of the same tier add up, also during grace. Another tier goes by an upgrade quote while a term runs; once it is
/// over there is nothing to upgrade from, so a membership of the other tier starts anew, without waiting for the end of
/// grace.
///
/// # Errors
/// `membership_frozen`, `use_upgrade_quote`, `already_for_life`.
pub fn joining(
    open: Option<&MembershipRow>,
    tier: TierId,
    now: DateTime<Utc>,
    grace: TimeDelta,
) -> Result<Joining, Code> {
    let Some(row) = open else { return Ok(Joining::Anew) };
    match life(row, now, grace) {
        Life::Frozen => Err(Code::MembershipFrozen),
        Life::Expired | Life::Revoked => Ok(Joining::Anew),
        Life::Grace if row.tier_id != tier => Ok(Joining::Anew),
        Life::Active if row.tier_id != tier => Err(Code::UseUpgradeQuote),
        Life::Grace | Life::Active => match row.ends_at {
            Some(end) if end <= now + LONGEST_AHEAD => Ok(Joining::Extends),
            Some(_) | None => Err(Code::AlreadyForLife),
        },
    }
}

/// May the account buy a term of this tier now?
///
/// # Errors
/// As [`joining`].
pub fn may_buy(
    open: Option<&MembershipRow>,
    tier: TierId,
    now: DateTime<Utc>,
    grace: TimeDelta,
) -> Result<(), Code> {
    joining(open, tier, now, grace).map(|_| ())
}

/// When a term starts and ends, and from where its ends are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub anchor_at: DateTime<Utc>,
    pub starts_at: DateTime<Utc>,
    /// None is for life.
    pub ends_at: Option<DateTime<Utc>>,
}

/// The first term of a membership: its start is the anchor.
pub fn first_span(term: Term, now: DateTime<Utc>, zone: Tz) -> Span {
    Span { anchor_at: now, starts_at: now, ends_at: term.end_after(now, 1, zone) }
}

/// The term after one that ends at `end` and was counted from `anchor`. While the end still lies whole months after the
/// anchor the count goes on from there, so that 31 January, 28 February is followed by 31 March. Time given back or taken
/// away moves an end off that grid: then it is the new anchor.
pub fn next_span(anchor: DateTime<Utc>, end: DateTime<Utc>, term: Term, zone: Tz) -> Span {
    if let Term::Months(months) = term
        && let Some(done) = whole_months(anchor, end, zone)
    {
        let ends_at = Term::Months(done + months).end_after(anchor, 1, zone);
        return Span { anchor_at: anchor, starts_at: end, ends_at };
    }
    Span { anchor_at: end, starts_at: end, ends_at: term.end_after(end, 1, zone) }
}

/// The number of months of which `end` is exactly the end, counted from `anchor`.
fn whole_months(anchor: DateTime<Utc>, end: DateTime<Utc>, zone: Tz) -> Option<u32> {
    let (from, to) = (anchor.with_timezone(&zone), end.with_timezone(&zone));
    let years = i64::from(to.year()) - i64::from(from.year());
    let months = years * 12 + i64::from(to.month()) - i64::from(from.month());
    let months = u32::try_from(months).ok().filter(|months| *months > 0)?;
    (Term::Months(months).end_after(anchor, 1, zone) == Some(end)).then_some(months)
}

/// From when the value of a term counts, and over how many seconds it wears off: from its start, or from now where it
/// has started already (bought during grace). For life it never does.
pub fn value_span(span: &Span, now: DateTime<Utc>) -> (DateTime<Utc>, Option<i64>) {
    let from = span.starts_at.max(now);
    (from, span.ends_at.map(|end| (end - from).num_seconds().max(1)))
}

/// What is left of a term's value: round(value × seconds left in it / value_seconds). 0 once it is over or was ended.
///
/// # Errors
/// [`OutOfRange`] never for values that the shop can hold.
pub fn value_left(term: &TermRow, at: DateTime<Utc>) -> Result<i64, OutOfRange> {
    if term.ended_at.is_some() {
        return Ok(0);
    }
    let (Some(end), Some(whole)) = (term.ends_at, term.value_seconds) else { return Ok(term.value_minor) };
    let left = (end - at.max(term.starts_at)).num_seconds().clamp(0, whole);
    scale_minor(term.value_minor, left, whole)
}

/// What the terms that aren't over were paid with, and how much of that has been used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    pub paid_minor: i64,
    pub used_minor: i64,
}

/// Paid less used is what an upgrade would credit at that moment.
///
/// # Errors
/// [`OutOfRange`] never for values that the shop can hold.
pub fn worth(terms: &[TermRow], at: DateTime<Utc>) -> Result<Worth, OutOfRange> {
    let mut worth = Worth { paid_minor: 0, used_minor: 0 };
    let running = |term: &&TermRow| term.ended_at.is_none() && term.ends_at.is_none_or(|end| end > at);
    for term in terms.iter().filter(running) {
        let used = term.value_minor - value_left(term, at)?;
        worth.paid_minor = worth.paid_minor.checked_add(term.value_minor).ok_or(OutOfRange)?;
        worth.used_minor = worth.used_minor.checked_add(used).ok_or(OutOfRange)?;
    }
    Ok(worth)
}

/// Terms with the values that are left to be worn off once money went back: what of it was paid for the term itself, and what
/// was paid for the terms that were credited to it, is taken off its own part and off the credited one.
pub fn less_paid_back(terms: Vec<TermRow>, back: &[PaidBack]) -> Vec<TermRow> {
    let less = |term: TermRow| match back.iter().find(|of| of.term == term.id) {
        Some(of) => {
            let own_minor = (term.value_minor - term.credited_minor - of.own_minor).max(0);
            let credited_minor = (term.credited_minor - of.credited_minor).max(0);
            TermRow { value_minor: own_minor + credited_minor, credited_minor, ..term }
        }
        None => term,
    };
    terms.into_iter().map(less).collect()
}

/// What taking one term out of a membership does to the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The terms after it, which move up.
    pub following: Vec<TermId>,
    /// By how much: what was left of the one taken out.
    pub moved_up: TimeDelta,
    /// The membership's new end.
    pub ends_at: Option<DateTime<Utc>>,
    /// Nothing is left: the membership closes now, without grace, for the money went back.
    pub closes: bool,
}

/// Takes `removed` out of the terms of a membership (in order, each starting where the one before ends). None where it
/// was over before a later one: then nothing changes any more.
pub fn removal(terms: &[TermRow], removed: &TermRow, at: DateTime<Utc>) -> Option<Removal> {
    let last = terms.last()?;
    let closed =
        Removal { following: Vec::new(), moved_up: TimeDelta::zero(), ends_at: Some(at), closes: true };
    let gap_from = at.max(removed.starts_at);
    if removed.id == last.id {
        // What stays is a term that runs now, or nothing: grace isn't bought.
        let stays = removed.starts_at > at;
        return Some(if stays {
            Removal { ends_at: Some(gap_from), closes: false, ..closed }
        } else {
            closed
        });
    }
    let gap_to = removed.ends_at.filter(|end| *end > at)?;
    let moved_up = gap_to - gap_from;
    let following = terms.iter().filter(|term| term.starts_at >= gap_to).map(|term| term.id).collect();
    Some(Removal { following, moved_up, ends_at: last.ends_at.map(|end| end - moved_up), closes: false })
}

/// Of terms that an upgrade replaced (in order), those that come back where its money went back: what isn't over by now, one
/// after the other. They are of one tier: the last one's.
pub fn restored(replaced: &[TermRow], at: DateTime<Utc>) -> Vec<TermRow> {
    let tier = replaced.last().map(|term| term.tier_id);
    let mut free_from = at;
    let mut back = Vec::new();
    for term in replaced.iter().filter(|term| Some(term.tier_id) == tier) {
        if term.ends_at.is_some_and(|end| end <= at) {
            continue;
        }
        let gap = (term.starts_at - free_from).max(TimeDelta::zero());
        let term = TermRow { ended_at: None, replaced_by: None, ..moved(term, -gap) };
        free_from = term.ends_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        back.push(term);
    }
    back
}

/// Terms that were given, behind ones that came back: of their tier, each where the one before ends. Behind what has no end
/// there is nothing to come.
pub fn behind(back: &[TermRow], given: &[TermRow]) -> Vec<TermRow> {
    let mut last = back.last().and_then(|term| Some((term.tier_id, term.ends_at?)));
    let mut hung = Vec::new();
    for term in given {
        let Some((tier_id, end)) = last else { break };
        let term = TermRow { tier_id, ..moved(term, end - term.starts_at) };
        last = term.ends_at.map(|end| (tier_id, end));
        hung.push(term);
    }
    hung
}

/// A term moved as a whole, earlier by a negative `by`.
pub fn moved(term: &TermRow, by: TimeDelta) -> TermRow {
    TermRow {
        anchor_at: term.anchor_at + by,
        starts_at: term.starts_at + by,
        ends_at: term.ends_at.map(|end| end + by),
        value_from: term.value_from + by,
        ..term.clone()
    }
}

/// A term after `given_back` of frozen time: one that ran then gets longer, one that was to come starts later, one that
/// was over stays. None where nothing changes.
pub fn thawed(term: &TermRow, frozen_at: DateTime<Utc>, given_back: TimeDelta) -> Option<TermRow> {
    if term.starts_at >= frozen_at {
        return Some(moved(term, given_back));
    }
    let end = term.ends_at.filter(|end| *end > frozen_at)?;
    Some(TermRow { ends_at: Some(end + given_back), ..term.clone() })
}

/// The last term of a membership that was frozen in grace: it was over then, and is as long over again, so that as much of its
/// grace is left. None where it wasn't over.
pub fn grace_kept(last: &TermRow, frozen_at: DateTime<Utc>, given_back: TimeDelta) -> Option<TermRow> {
    let end = last.ends_at.filter(|end| *end <= frozen_at)?;
    Some(TermRow { ends_at: Some(end + given_back), ..last.clone() })
}

/// `LJ0047`: the sequence padded to four digits, growing past 9999.
pub fn member_number(prefix: &str, sequence: i64) -> String {
    format!("{prefix}{sequence:04}")
}

#[cfg(test)]
mod tests;
