//! Which way a membership goes on, and which step of it is due when. Pure: the steps are the job's of `checkout::renewals`.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Renewal, Settings};
use crate::error::Code;
use crate::membership::memberships::model::MembershipRow;
use crate::membership::memberships::rules::{GRACE, Life, life};
use crate::membership::plans::model::{Plan, Renews};
use crate::types::id::TierId;

/// What the saved card will be charged is told that long before the end (5 to 7 days: Mastercard's and Visa's rules for
/// subscriptions).
pub const NOTICE_BEFORE: TimeDelta = TimeDelta::days(7);
/// The card isn't charged sooner after its owner was told.
pub const NOTICE_AT_LEAST: TimeDelta = TimeDelta::days(5);
/// A new price, or a card that will have expired, is told that long before.
pub const ANNOUNCE_BEFORE: TimeDelta = TimeDelta::days(30);
/// Days before the end on which who isn't charged is reminded; the last one says that grace has begun.
const REMINDERS: [i32; 4] = [30, 7, 1, 0];
/// Between a failed charge and the next one, by how many there were: at most four within grace.
const RETRIES: [TimeDelta; 3] = [TimeDelta::days(1), TimeDelta::days(2), TimeDelta::days(2)];
/// Failures after which the same card isn't asked again: its owner must do something.
const FINAL: [&str; 9] = [
    "authentication_required",
    "expired_card",
    "lost_card",
    "stolen_card",
    "pickup_card",
    "invalid_account",
    NO_CARD,
    NO_CUSTOMER,
    REFUSED,
];

/// The member has no saved card any more: he removed it on Stripe's page.
pub const NO_CARD: &str = "card_removed";
/// Stripe knows the account no more.
pub const NO_CUSTOMER: &str = "no_customer";
/// The shop's own rules refuse the renewal.
pub const REFUSED: &str = "not_possible";

/// How a membership goes on at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The saved card is charged.
    Card,
    /// Its member is reminded, and pays by a link or not at all.
    Reminded,
    /// He has cancelled, or there is nothing to be had.
    Ends,
}

/// By what was said of it, and the plan that is to follow. An archived plan goes on for those who have it.
pub fn way(plan: Option<&Plan>, settings: &Settings) -> Way {
    match plan {
        _ if settings.cancelled_at.is_some() => Way::Ends,
        None => Way::Ends,
        Some(plan) if plan.renews == Renews::Card && settings.is_on => Way::Card,
        Some(_) => Way::Reminded,
    }
}

/// What is done at the end of a term, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Tells of a new price, or of a card that will have expired.
    Announce,
    /// Tells what will be charged.
    Notice,
    /// Reminds, so many days before the end.
    Remind(i32),
    /// Places the order that the card is charged for.
    Charge,
    /// Grace is over.
    Lapse,
}

/// How far a membership is on its way to the end.
#[derive(Clone, Copy, Debug)]
pub struct Going<'a> {
    pub way: Way,
    /// Of the last term.
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub renewal: Option<&'a Renewal>,
}

/// The next step, and since or from when it is due. What wasn't done in time is made up as far as it still makes sense: the
/// latest reminder alone, and no charge without its notice.
pub fn next_step(going: &Going<'_>, now: DateTime<Utc>) -> (Step, DateTime<Utc>) {
    let lapse = (Step::Lapse, going.ends_at + GRACE);
    match going.way {
        Way::Ends => lapse,
        Way::Reminded => next_reminder(going, now).unwrap_or(lapse),
        Way::Card => next_of_card(going, now).unwrap_or(lapse),
    }
}

fn next_of_card(going: &Going<'_>, now: DateTime<Utc>) -> Option<(Step, DateTime<Utc>)> {
    let grace_ends_at = going.ends_at + GRACE;
    let Some(noticed_at) = going.renewal.and_then(|renewal| renewal.noticed_at) else {
        let announce_at = going.ends_at - ANNOUNCE_BEFORE;
        let notice_at = going.ends_at - NOTICE_BEFORE;
        let is_announced = going.renewal.is_some_and(|renewal| renewal.announced_at.is_some());
        if !is_announced && announce_at > going.starts_at && now < notice_at {
            return Some((Step::Announce, announce_at));
        }
        // Too late for notice and charge within grace: a reminder with a link is left.
        let is_late = now.max(notice_at) + NOTICE_AT_LEAST >= grace_ends_at;
        return if is_late { next_reminder(going, now) } else { Some((Step::Notice, notice_at)) };
    };
    let renewal = going.renewal?;
    let charge_at = match renewal.charges {
        0 => Some(going.ends_at.max(noticed_at + NOTICE_AT_LEAST)),
        _ => renewal.next_charge_at,
    };
    charge_at.filter(|at| *at < grace_ends_at && now < grace_ends_at).map(|at| (Step::Charge, at))
}

fn next_reminder(going: &Going<'_>, now: DateTime<Utc>) -> Option<(Step, DateTime<Utc>)> {
    if now >= going.ends_at + GRACE {
        return None;
    }
    let reminded = going.renewal.and_then(|renewal| renewal.reminded_days);
    let at = |days: i32| going.ends_at - TimeDelta::days(i64::from(days));
    // Nobody who has just bought is asked for more: a month's term has no reminder a month ahead.
    let fits =
        |days: &i32| *days == 0 || going.ends_at - going.starts_at >= TimeDelta::days(2 * i64::from(*days));
    let left = REMINDERS.iter().copied().filter(fits).filter(|days| reminded.is_none_or(|done| *days < done));
    let (mut due, mut to_come) = (None, None);
    for days in left {
        if at(days) <= now {
            due = Some(days);
        } else {
            to_come = to_come.or(Some(days));
        }
    }
    due.or(to_come).map(|days| (Step::Remind(days), at(days)))
}

/// When the card is charged once more after the `charges`-th charge has failed; none where that makes no sense.
pub fn retry_at(
    charges: i32,
    code: &str,
    ends_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if FINAL.contains(&code) {
        return None;
    }
    let pause = usize::try_from(charges).ok().and_then(|done| RETRIES.get(done.checked_sub(1)?))?;
    Some(now + *pause).filter(|at| *at < ends_at + GRACE)
}

/// The open membership, which has an end that can be moved: one that was said something of.
///
/// # Errors
/// `membership_not_open`, `already_for_life`.
pub fn endable(open: Option<&MembershipRow>, now: DateTime<Utc>) -> Result<&MembershipRow, Code> {
    let row = open.ok_or(Code::MembershipNotOpen)?;
    match life(row, now, GRACE) {
        Life::Expired | Life::Revoked => Err(Code::MembershipNotOpen),
        _ if row.ends_at.is_none() => Err(Code::AlreadyForLife),
        _ => Ok(row),
    }
}

/// May the membership become this plan at its end?
///
/// # Errors
/// `not_a_downgrade` for a higher tier (that is an upgrade) or the plan that it has; `upgrade_not_sold` where members can't
/// change to it; `unknown_plan` for an archived one.
pub fn may_follow((tier, rank): (TierId, i32), current: Option<&Plan>, next: &Plan) -> Result<(), Code> {
    if next.archived_at.is_some() {
        return Err(Code::UnknownPlan);
    }
    let is_same = current.is_some_and(|plan| plan.id == next.id);
    if is_same || next.tier != tier && next.tier_rank >= rank {
        return Err(Code::NotADowngrade);
    }
    if !next.open_sale && !next.open_upgrade {
        return Err(Code::UpgradeNotSold);
    }
    Ok(())
}

/// May this renewal be ordered? The account's membership is `open`; whether the term can be added is [`joining`]'s to say.
///
/// [`joining`]: crate::membership::memberships::rules::joining
///
/// # Errors
/// `stale_quote`
pub fn may_order(renewal: &Renewal, open: Option<&MembershipRow>) -> Result<(), Code> {
    let fits =
        open.is_some_and(|row| row.id == renewal.membership_id && row.ends_at == Some(renewal.ends_at));
    if renewal.closed_at.is_none() && fits { Ok(()) } else { Err(Code::StaleQuote) }
}

#[cfg(test)]
mod tests {
    use super::super::model::RenewalState;
    use super::*;
    use crate::types::id::{AccountId, MembershipId, PlanId, RenewalId};

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn start() -> DateTime<Utc> {
        utc("2026-01-31T16:00:00Z")
    }

    fn end() -> DateTime<Utc> {
        utc("2027-01-31T16:00:00Z")
    }

    fn before(days: i64) -> DateTime<Utc> {
        end() - TimeDelta::days(days)
    }

    fn renewal() -> Renewal {
        Renewal {
            id: RenewalId::new(),
            membership_id: MembershipId::new(),
            account_id: AccountId::new(),
            ends_at: end(),
            plan_id: PlanId::new(),
            price_minor: 20_000,
            currency: "CNY".to_owned(),
            state: RenewalState::Open,
            announced_at: None,
            noticed_at: None,
            reminded_days: None,
            charges: 0,
            next_charge_at: None,
            failure: None,
            created_at: before(30),
            closed_at: None,
            told_minor: None,
        }
    }

    fn step(way: Way, renewal: Option<&Renewal>, now: DateTime<Utc>) -> (Step, DateTime<Utc>) {
        next_step(&Going { way, starts_at: start(), ends_at: end(), renewal }, now)
    }

    #[test]
    fn the_card_is_charged_at_the_end_and_five_days_after_the_notice() {
        let mut row = renewal();
        assert_eq!(step(Way::Card, None, before(200)), (Step::Announce, before(30)));
        row.announced_at = Some(before(30));
        assert_eq!(step(Way::Card, Some(&row), before(30)), (Step::Notice, before(7)));
        row.noticed_at = Some(before(7));
        assert_eq!(step(Way::Card, Some(&row), before(7)), (Step::Charge, end()));
        row.noticed_at = Some(before(5));
        assert_eq!(step(Way::Card, Some(&row), before(5)), (Step::Charge, end()));
        // Told late, it is charged later, in grace.
        row.noticed_at = Some(before(5) + TimeDelta::seconds(1));
        assert_eq!(step(Way::Card, Some(&row), before(4)), (Step::Charge, end() + TimeDelta::seconds(1)));
    }

    #[test]
    fn without_time_for_a_notice_nothing_is_charged() {
        // Two days of grace are left for it after five days of notice.
        assert_eq!(step(Way::Card, None, end() + TimeDelta::days(1)), (Step::Notice, before(7)));
        let late = end() + TimeDelta::days(2);
        assert_eq!(step(Way::Card, None, late), (Step::Remind(0), end()));
        let mut row = renewal();
        row.reminded_days = Some(0);
        assert_eq!(step(Way::Card, Some(&row), late), (Step::Lapse, end() + GRACE));
        // Nor after grace, however it came.
        row.noticed_at = Some(before(7));
        assert_eq!(step(Way::Card, Some(&row), end() + GRACE), (Step::Lapse, end() + GRACE));
    }

    #[test]
    fn a_charge_is_repeated_while_that_makes_sense() {
        let again =
            |charges, code| retry_at(charges, code, end(), end() + TimeDelta::days(i64::from(charges) - 1));
        assert_eq!(again(1, "generic_decline"), Some(end() + TimeDelta::days(1)));
        assert_eq!(again(2, "insufficient_funds"), Some(end() + TimeDelta::days(3)));
        assert_eq!(
            retry_at(3, "generic_decline", end(), end() + TimeDelta::days(3)),
            Some(end() + TimeDelta::days(5))
        );
        assert_eq!(retry_at(4, "generic_decline", end(), end() + TimeDelta::days(5)), None);
        assert_eq!(again(1, "authentication_required"), None);
        assert_eq!(again(1, NO_CARD), None);
        assert_eq!(retry_at(1, "generic_decline", end(), end() + TimeDelta::days(6)), None);
        let mut row = Renewal { noticed_at: Some(before(7)), charges: 1, ..renewal() };
        assert_eq!(step(Way::Card, Some(&row), end()), (Step::Lapse, end() + GRACE));
        row.next_charge_at = Some(end() + TimeDelta::days(1));
        assert_eq!(step(Way::Card, Some(&row), end()), (Step::Charge, end() + TimeDelta::days(1)));
    }

    #[test]
    fn who_is_reminded_hears_of_it_three_times_and_at_the_end() {
        let mut row = renewal();
        assert_eq!(step(Way::Reminded, None, before(31)), (Step::Remind(30), before(30)));
        for (done, next) in [(30, 7), (7, 1), (1, 0)] {
            row.reminded_days = Some(done);
            let expected = (Step::Remind(next), before(i64::from(next)));
            assert_eq!(step(Way::Reminded, Some(&row), before(i64::from(done))), expected);
        }
        row.reminded_days = Some(0);
        assert_eq!(step(Way::Reminded, Some(&row), end()), (Step::Lapse, end() + GRACE));
        // What was slept through is told once.
        row.reminded_days = Some(30);
        assert_eq!(step(Way::Reminded, Some(&row), before(1)), (Step::Remind(1), before(1)));
        assert_eq!(step(Way::Reminded, None, end() + GRACE), (Step::Lapse, end() + GRACE));
    }

    #[test]
    fn short_terms_have_fewer_steps() {
        let month = Going { way: Way::Reminded, starts_at: before(31), ends_at: end(), renewal: None };
        assert_eq!(next_step(&month, before(31)), (Step::Remind(7), before(7)));
        let week = Going { starts_at: before(7), ..month };
        assert_eq!(next_step(&week, before(7)), (Step::Remind(1), before(1)));
        let month = Going { way: Way::Card, ..month };
        assert_eq!(next_step(&month, before(31)), (Step::Announce, before(30)));
        let short = Going { starts_at: before(28), ..month };
        assert_eq!(next_step(&short, before(28)), (Step::Notice, before(7)));
    }

    #[test]
    fn what_was_cancelled_just_ends() {
        assert_eq!(step(Way::Ends, None, before(100)), (Step::Lapse, end() + GRACE));
    }
}
