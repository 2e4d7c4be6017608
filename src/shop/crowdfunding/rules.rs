//! How long a crowdfunded drop may run, what a pledge counts for, and what is decided in the end.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Counts, Figures, Goal, Outcome};
use crate::error::Code;
use crate::shop::drops::model::Drop;
use crate::shop::drops::rules::first_opening;
use crate::shop::products::model::{Article, ProductKind};
use crate::types::stored::stored_enum;

/// All refunds of a missed goal are made within that of the first order. Alipay takes no refund after 90 days
/// (docs.stripe.com/payments/alipay, "Refunds"); ten of them are left for refunds that Stripe refuses and an operator must
/// make in another way.
pub const REFUNDED_WITHIN: TimeDelta = TimeDelta::days(80);
/// Orders that were placed in time are waited for so long after the end: a delayed payment takes three days at most, the
/// hold before it less than one.
pub const HOLDS_END_WITHIN: TimeDelta = TimeDelta::days(4);
/// For the refunds themselves: a refund is tried for about a day before an operator must look at it.
const REFUNDS_TAKE: TimeDelta = TimeDelta::days(1);
/// An order that came in at the last moment is written by then.
pub const LAST_ORDERS: TimeDelta = TimeDelta::minutes(1);

/// Between two looks while holds are open, at least.
const LOOK_EVERY: TimeDelta = TimeDelta::minutes(10);
/// The longer it was waited already, the less a little more matters: the pause grows to that part of it. Most holds end
/// within a quarter of an hour, some delayed payments take days.
const LOOK_AFTER_PART: i32 = 10;

/// From the first opening to the end, at most: 75 days.
pub fn longest_window() -> TimeDelta {
    REFUNDED_WITHIN - HOLDS_END_WITHIN - REFUNDS_TAKE
}

stored_enum! {
    /// Where a crowdfunded drop stands.
    FundingState {
        /// Not decided yet: the window is open or still to open, or the last ones are paying.
        Running = "running",
        Reached = "reached",
        Missed = "missed",
    }
}

/// Follows from the decision alone.
pub fn state(goal: &Goal) -> FundingState {
    match goal.decision.map(|decision| decision.outcome) {
        None => FundingState::Running,
        Some(Outcome::Reached) => FundingState::Reached,
        Some(Outcome::Missed) => FundingState::Missed,
    }
}

/// The end of the window, exclusive: an operator may end a drop before its time.
pub fn ends_at(drop: &Drop) -> DateTime<Utc> {
    drop.archived_at.map_or(drop.closes_at, |archived_at| archived_at.min(drop.closes_at))
}

/// Is this within the window in which anybody may pledge? Codes that open other doors sooner or later don't widen it: the
/// refunds' time is counted from it.
///
/// # Errors
/// `not_open`, `closed`.
pub fn check_running(drop: &Drop, now: DateTime<Utc>) -> Result<(), Code> {
    if now < first_opening(drop) {
        return Err(Code::NotOpen);
    }
    if now >= ends_at(drop) { Err(Code::Closed) } else { Ok(()) }
}

/// Does the window leave time for the refunds? It is counted from the first order where there is one, else from the first
/// time at which there could be.
///
/// # Errors
/// `invalid_field`.
pub fn check_window(drop: &Drop, first_order_at: Option<DateTime<Utc>>) -> Result<(), Code> {
    let opening = first_opening(drop);
    let starts_at = first_order_at.map_or(opening, |at| at.min(opening));
    if drop.closes_at - starts_at <= longest_window() { Ok(()) } else { Err(Code::InvalidField) }
}

/// Is the article one that can be given back whole: all of it is sent, and nothing of it can be opened before?
pub fn is_returnable(article: &Article) -> bool {
    article.is_shipped() && article.parts.iter().all(|part| part.kind != ProductKind::Digital)
}

/// A line, as a pledge sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PledgedLine {
    pub is_paid: bool,
    pub quantity: i64,
    pub total_minor: i64,
    pub refunded_minor: i64,
}

/// What a line counts for: units and minor units.
pub fn weight(line: PledgedLine) -> (i64, i64) {
    let left_minor = line.total_minor - line.refunded_minor;
    if line.is_paid && left_minor > 0 { (line.quantity, left_minor) } else { (0, 0) }
}

/// What becomes of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Too early: look again then.
    Wait(DateTime<Utc>),
    Decide(Outcome),
}

/// Decides a goal that isn't decided, if it is time. `has_open_holds`: somebody who ordered in time may still pay.
pub fn judge(goal: &Goal, ends_at: DateTime<Utc>, has_open_holds: bool, now: DateTime<Utc>) -> Verdict {
    let (first_look_at, last_look_at) = (ends_at + LAST_ORDERS, ends_at + HOLDS_END_WITHIN);
    if now < first_look_at {
        return Verdict::Wait(first_look_at);
    }
    if has_open_holds && now < last_look_at {
        let pause = LOOK_EVERY.max((now - ends_at) / LOOK_AFTER_PART);
        return Verdict::Wait((now + pause).min(last_look_at));
    }
    Verdict::Decide(outcome(goal.counts, goal.goal, goal.pledged))
}

/// Reached by what was pledged, or missed, by one already.
pub fn outcome(counts: Counts, goal: i64, pledged: Figures) -> Outcome {
    let counted = match counts {
        Counts::Units => pledged.units,
        Counts::Amount => pledged.minor,
    };
    if counted >= goal { Outcome::Reached } else { Outcome::Missed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::id::DropId;
    use crate::types::locale::Names;

    fn start() -> DateTime<Utc> {
        "2014-06-17T02:00:00Z".parse().unwrap()
    }

    fn tick() -> TimeDelta {
        TimeDelta::microseconds(1)
    }

    fn goal(counts: Counts, goal: i64, units: i64, minor: i64) -> Goal {
        Goal { pledged: Figures { units, minor, backers: 1 }, ..Goal::new(counts, goal, "CNY") }
    }

    fn drop(closes_at: DateTime<Utc>) -> Drop {
        Drop {
            id: DropId::new(),
            code: "book".into(),
            names: Names::new("书", "Book"),
            opens_at: start(),
            closes_at,
            cap_per_person: None,
            created_at: start(),
            archived_at: None,
            version: 1,
            items: Vec::new(),
            audiences: Vec::new(),
            goal: None,
        }
    }

    #[test]
    fn a_goal_is_missed_by_one() {
        let end = start();
        let look =
            |counts, units, minor| judge(&goal(counts, 500, units, minor), end, false, end + LAST_ORDERS);
        assert_eq!(look(Counts::Units, 500, 1), Verdict::Decide(Outcome::Reached));
        assert_eq!(look(Counts::Units, 499, 9_999), Verdict::Decide(Outcome::Missed));
        assert_eq!(look(Counts::Amount, 1, 500), Verdict::Decide(Outcome::Reached));
        assert_eq!(look(Counts::Amount, 9_999, 499), Verdict::Decide(Outcome::Missed));
    }

    #[test]
    fn it_is_decided_after_the_end_and_after_the_last_hold_but_not_for_ever() {
        let (goal, end) = (goal(Counts::Units, 1, 1, 1), start());
        let first = end + LAST_ORDERS;
        assert_eq!(judge(&goal, end, false, first - tick()), Verdict::Wait(first));
        assert_eq!(judge(&goal, end, false, first), Verdict::Decide(Outcome::Reached));
        assert_eq!(judge(&goal, end, true, first), Verdict::Wait(first + LOOK_EVERY));
        let later = |at| judge(&goal, end, true, at);
        let hundred = end + LOOK_EVERY * LOOK_AFTER_PART;
        assert_eq!(later(hundred), Verdict::Wait(hundred + LOOK_EVERY));
        let day = end + TimeDelta::days(1);
        assert_eq!(later(day), Verdict::Wait(day + TimeDelta::minutes(144)));
        let last = end + HOLDS_END_WITHIN;
        assert_eq!(judge(&goal, end, true, last - tick()), Verdict::Wait(last));
        assert_eq!(judge(&goal, end, true, last), Verdict::Decide(Outcome::Reached));
    }

    #[test]
    fn the_window_leaves_time_for_the_refunds() {
        let longest = start() + longest_window();
        assert_eq!(longest_window(), TimeDelta::days(75));
        assert!(check_window(&drop(longest), None).is_ok());
        assert!(check_window(&drop(longest + tick()), None).is_err());
        // Moving the opening later doesn't help once somebody has ordered.
        let moved = Drop { opens_at: start() + TimeDelta::days(5), ..drop(longest + tick()) };
        assert!(check_window(&moved, None).is_ok());
        assert!(check_window(&moved, Some(start())).is_err());
        assert!(check_window(&moved, Some(start() + tick())).is_ok());
    }

    #[test]
    fn a_code_does_not_widen_the_window() {
        let end = start() + TimeDelta::days(1);
        let at = |now| check_running(&drop(end), now);
        assert_eq!(at(start() - tick()), Err(Code::NotOpen));
        assert_eq!((at(start()), at(end - tick())), (Ok(()), Ok(())));
        assert_eq!(at(end), Err(Code::Closed));
    }

    #[test]
    fn who_archives_a_drop_ends_it() {
        let end = start() + TimeDelta::days(1);
        assert_eq!(ends_at(&drop(end)), end);
        assert_eq!(ends_at(&Drop { archived_at: Some(start()), ..drop(end) }), start());
        assert_eq!(ends_at(&Drop { archived_at: Some(end + tick()), ..drop(end) }), end);
    }

    #[test]
    fn a_line_counts_from_its_payment_until_all_of_it_is_refunded() {
        let line = PledgedLine { is_paid: true, quantity: 2, total_minor: 100, refunded_minor: 0 };
        assert_eq!(weight(line), (2, 100));
        assert_eq!(weight(PledgedLine { refunded_minor: 99, ..line }), (2, 1));
        assert_eq!(weight(PledgedLine { refunded_minor: 100, ..line }), (0, 0));
        assert_eq!(weight(PledgedLine { is_paid: false, ..line }), (0, 0));
    }
}
