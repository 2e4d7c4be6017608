//! What can be a benefit, which period of it runs, and what is left.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::model::{Benefit, GivenBy};
use crate::error::Code;
use crate::membership::memberships::model::{MembershipRow, TermRow};
use crate::membership::memberships::rules::{GRACE, Life, gives_access, life, standing_at};
use crate::types::id::LevelId;
use crate::types::period::{Term, to_utc};
use crate::types::stored::stored_enum;

stored_enum! {
    /// What a benefit gives.
    Gives {
        /// Something that is given elsewhere: a service channel, a free meal. Operators enter what is used of it.
        Service = "service",
        /// Told to members; the drops and the shelf decide who comes first.
        EarlyAccess = "early_access",
        /// A coupon of a campaign, for who claims it.
        Coupon = "coupon",
        /// Orders whose parcel costs nothing, or so much less.
        FreeShipping = "free_shipping",
        /// A unit of an article at no price, by an order: a gift of welcome, places at a gathering.
        Article = "article",
    }
}

/// The period that runs for one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Periods that are over.
    pub nth: u32,
    /// Exclusive; none has no end.
    pub until: Option<DateTime<Utc>>,
}

/// On what somebody stands who uses benefits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ground<'a> {
    /// The open membership under which he stands, and from when its periods are counted.
    pub membership: Option<(&'a MembershipRow, DateTime<Utc>)>,
    /// It stands by a trial alone.
    pub is_trial: bool,
    /// The highest level on which he stands.
    pub level: Option<LevelId>,
}

impl Ground<'_> {
    /// Is the benefit one of his tier's or of his level's?
    pub fn has(&self, benefit: &Benefit) -> bool {
        match benefit.given_by {
            GivenBy::Tier(tier) => self.membership.is_some_and(|(row, _)| row.tier_id == tier),
            GivenBy::Level(level) => self.level == Some(level),
        }
    }

    /// Which period of a benefit runs for him.
    pub fn window(&self, benefit: &Benefit, (now, zone): (DateTime<Utc>, Tz)) -> Window {
        match (benefit.given_by, self.membership) {
            (GivenBy::Tier(_), Some((row, from))) => window(row, from, benefit.every, (now, zone)),
            _ => calendar_window(benefit.every, (now, zone)),
        }
    }
}

/// Which period of a level's benefit runs: the calendar's, so that nobody gains one by falling and rising again. Months begin on
/// the first, years in January, weeks on a Saturday.
pub fn calendar_window(every: Option<Term>, (now, zone): (DateTime<Utc>, Tz)) -> Window {
    let Some(every) = every else { return Window { nth: 0, until: None } };
    let from = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN);
    let from = to_utc(from, zone);
    let nth = whole_periods(from, every, now, zone);
    Window { nth, until: every.end_after(from, nth + 1, zone) }
}

/// The benefit of the same kind, of the other of tier and level, that is used in the place of this one: the better of both.
pub fn outranked_by<'a>(
    benefit: &Benefit,
    ground: &Ground<'_>,
    others: &'a [Benefit],
    now: DateTime<Utc>,
) -> Option<&'a Benefit> {
    let is_rival = |other: &&Benefit| {
        other.kind == benefit.kind
            && other.id != benefit.id
            && other.level().is_some() != benefit.level().is_some()
            && may_use(other, ground, now).is_ok()
    };
    let rival = others.iter().find(is_rival)?;
    // Of two that are alike the tier's counts.
    let worth = |of: &Benefit| (a_year(of), of.value_minor.unwrap_or(i64::MAX), of.tier().is_some());
    (worth(rival) > worth(benefit)).then_some(rival)
}

/// How often in a year; what is given once counts as often as it is given.
fn a_year(benefit: &Benefit) -> i64 {
    let Some(allowed) = benefit.allowed else { return i64::MAX };
    let days = match benefit.every {
        Some(Term::Months(months)) => i64::from(months) * 30,
        Some(Term::Days(days)) => i64::from(days),
        None | Some(Term::Lifetime) => return allowed,
    };
    allowed.saturating_mul(360) / days.max(1)
}

/// Which period of a benefit runs under a membership. Periods are counted from its start (`from`) in the shop's zone, and stand still
/// while it is frozen; the days of grace belong to the last one that was paid for.
pub fn window(
    row: &MembershipRow,
    from: DateTime<Utc>,
    every: Option<Term>,
    (now, zone): (DateTime<Utc>, Tz),
) -> Window {
    let rested = TimeDelta::seconds(row.rested_seconds);
    let last = row.ends_at.map(|end| end - TimeDelta::microseconds(1));
    let stands_at = standing_at(row, now);
    let active_at = last.map_or(stands_at, |last| stands_at.min(last)) - rested;
    let ends_at = row.ends_at.map(|end| if end <= now { end + GRACE } else { end });
    let Some(every) = every else { return Window { nth: 0, until: ends_at } };
    let nth = whole_periods(from, every, active_at, zone);
    let next = every.end_after(from, nth + 1, zone).map(|end| end + rested);
    let until = next.into_iter().chain(ends_at).filter(|until| now < *until).min();
    Window { nth, until }
}

/// How many whole periods lie between the two moments.
fn whole_periods(from: DateTime<Utc>, every: Term, to: DateTime<Utc>, zone: Tz) -> u32 {
    // No month is longer than that, and no day an hour longer: a bound from below.
    let longest = match every {
        Term::Months(months) => TimeDelta::days(31) * i32::try_from(months).unwrap_or(i32::MAX),
        Term::Days(days) => TimeDelta::hours(25) * i32::try_from(days).unwrap_or(i32::MAX),
        Term::Lifetime => return 0,
    };
    let at_least = (to - from).num_seconds() / longest.num_seconds().max(1);
    let mut nth = u32::try_from(at_least.max(0)).unwrap_or(u32::MAX);
    while every.end_after(from, nth.saturating_add(1), zone).is_some_and(|end| end <= to) {
        nth += 1;
    }
    nth
}

/// May who stands on this use the benefit now, as far as its tier or level goes? What is left of it is another question.
///
/// # Errors
/// `members_only`, `membership_frozen`, `unknown_benefit`, `benefit_not_in_trial`, `level_required`.
pub fn may_use(benefit: &Benefit, ground: &Ground<'_>, now: DateTime<Utc>) -> Result<(), Code> {
    if benefit.level().is_some() {
        return match (ground.has(benefit), benefit.archived_at) {
            (_, Some(_)) => Err(Code::UnknownBenefit),
            (true, None) => Ok(()),
            (false, None) => Err(Code::LevelRequired),
        };
    }
    let (row, _) = ground.membership.ok_or(Code::MembersOnly)?;
    let life = life(row, now, GRACE);
    if !gives_access(life) {
        return Err(if life == Life::Frozen { Code::MembershipFrozen } else { Code::MembersOnly });
    }
    if !ground.has(benefit) || benefit.archived_at.is_some() {
        return Err(Code::UnknownBenefit);
    }
    if ground.is_trial && !benefit.in_trial {
        return Err(Code::BenefitNotInTrial);
    }
    Ok(())
}

/// The beginning of what was paid for the terms that aren't over: that of the first of them, or of the terms that upgrades
/// credited to it. None where none runs.
pub fn paid_since(terms: &[TermRow], at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let runs = |term: &&TermRow| term.ended_at.is_none() && term.ends_at.is_none_or(|end| end > at);
    let mut found: Vec<&TermRow> = terms.iter().filter(runs).collect();
    let mut next = 0;
    while let Some(term) = found.get(next).copied() {
        found.extend(terms.iter().filter(|earlier| earlier.replaced_by == Some(term.id)));
        next += 1;
    }
    found.iter().map(|term| term.starts_at).min()
}

#[cfg(test)]
mod tests;
