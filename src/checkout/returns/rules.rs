//! What can be sent back, how a return goes on, and what its units are worth.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Reason, ReturnState};
use crate::error::{Code, Result};
use crate::types::id::LineId;

/// What can be done with a return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Approve,
    Reject,
    /// By its buyer.
    Withdraw,
    Receive,
    Refund,
    Close,
}

/// Where a return is after an act.
///
/// # Errors
/// `wrong_return_state` where the act doesn't fit.
pub fn next(state: ReturnState, act: Act) -> Result<ReturnState> {
    match (state, act) {
        (ReturnState::Requested, Act::Approve) => Ok(ReturnState::Approved),
        (ReturnState::Requested, Act::Reject) => Ok(ReturnState::Rejected),
        (ReturnState::Requested | ReturnState::Approved, Act::Withdraw) => Ok(ReturnState::Cancelled),
        (ReturnState::Approved, Act::Receive) => Ok(ReturnState::Received),
        (ReturnState::Received, Act::Refund) => Ok(ReturnState::Refunded),
        // What never arrived is closed too.
        (ReturnState::Approved | ReturnState::Received, Act::Close) => Ok(ReturnState::Closed),
        _ => Err(Code::WrongReturnState.because(format!("The return is {}.", state.as_str()))),
    }
}

/// A line of an order, as a return sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub line: LineId,
    /// Units that were handed to a carrier.
    pub shipped: i64,
    /// Units of them that other returns cover.
    pub returned: i64,
    /// Its money went back, or a refund has put it back on sale: the shop has done with it.
    pub is_settled: bool,
    /// Units by parcel, each with the time from which its return window is counted.
    pub parcels: Vec<(DateTime<Utc>, i64)>,
}

impl Sent {
    /// Units that may still be asked for.
    fn returnable(&self) -> i64 {
        if self.is_settled { 0 } else { self.shipped - self.returned }
    }

    /// Units whose window is open: its end is exclusive. Units are alike, so those that were returned before count as the
    /// oldest ones.
    fn in_window(&self, now: DateTime<Utc>, window: TimeDelta) -> i64 {
        self.parcels.iter().filter(|(from, _)| now < *from + window).map(|(_, units)| units).sum()
    }
}

/// May these units be sent back? True where some of them are past the return window: only what the shop answers for can be
/// asked for then (damaged, wrong, not as described), and an operator decides.
///
/// # Errors
/// `invalid_field` for a line that isn't the order's, one named twice, a quantity below 1, or no line at all;
/// `not_returnable`, `return_window_over`.
pub fn judge(
    order: &[Sent],
    asked: &[(LineId, i64)],
    reason: Reason,
    now: DateTime<Utc>,
    window: TimeDelta,
) -> Result<bool> {
    if asked.is_empty() {
        return Err(Code::InvalidField.at("lines", "expected at least one"));
    }
    let mut is_late = false;
    for (index, (id, quantity)) in asked.iter().enumerate() {
        let line = named(order, asked, index, |line| line.line == *id)?;
        if *quantity < 1 {
            return Err(wrong(index, "quantity", "expected at least 1"));
        }
        if *quantity > line.returnable() {
            let left = line.returnable();
            return Err(Code::NotReturnable.because(format!("{left} of this line can be sent back.")));
        }
        is_late |= *quantity > line.in_window(now, window);
    }
    match reason {
        Reason::ChangedMind | Reason::Other if is_late => Err(Code::ReturnWindowOver.error()),
        _ => Ok(is_late),
    }
}

fn wrong(index: usize, field: &str, why: &'static str) -> crate::error::AppError {
    Code::InvalidField.at(format!("lines[{index}].{field}"), why)
}

/// The line that is meant, named once.
fn named<'a, T, A: PartialEq>(
    lines: &'a [T],
    asked: &[(LineId, A)],
    index: usize,
    is_it: impl Fn(&T) -> bool,
) -> Result<&'a T> {
    let line =
        lines.iter().find(|line| is_it(line)).ok_or_else(|| wrong(index, "line", "there is no such line"))?;
    let id = asked.get(index).map(|(id, _)| *id);
    if asked.iter().take(index).any(|(earlier, _)| Some(*earlier) == id) {
        return Err(wrong(index, "line", "named twice"));
    }
    Ok(line)
}

/// What became of the units that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub restocked: i64,
    pub written_off: i64,
}

/// Does what arrived fit what was asked for (line, units)? Fewer may have come, but something must.
///
/// # Errors
/// `invalid_field`.
pub fn check_arrived(asked: &[(LineId, i64)], arrived: &[(LineId, Arrived)]) -> Result<()> {
    for (index, (id, units)) in arrived.iter().enumerate() {
        let (_, quantity) = named(asked, arrived, index, |(line, _)| line == id)?;
        let fits = |units: i64| (0..=*quantity).contains(&units);
        if !fits(units.restocked) {
            return Err(wrong(index, "restock", "expected 0 to what was asked for"));
        }
        if !fits(units.written_off) || !fits(units.restocked + units.written_off) {
            return Err(wrong(index, "write_off", "together more than was asked for, or below 0"));
        }
    }
    if arrived.iter().all(|(_, units)| units.restocked + units.written_off == 0) {
        return Err(Code::InvalidField.at("lines", "nothing has arrived: close the return instead"));
    }
    Ok(())
}

/// What units of a line are worth, of which `before` were paid back earlier: equal shares of its total, the first ones one
/// minor unit more where it doesn't divide, so that all units together are worth just the total.
pub fn share_minor(total_minor: i64, quantity: i64, before: i64, units: i64) -> i64 {
    let (share, leftovers) = (total_minor / quantity.max(1), total_minor % quantity.max(1));
    let worth = |units: i64| share * units + units.min(leftovers);
    worth(before + units) - worth(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: TimeDelta = TimeDelta::days(1);
    const WINDOW: TimeDelta = TimeDelta::days(14);

    fn start() -> DateTime<Utc> {
        "2014-06-17T02:00:00Z".parse().unwrap()
    }

    fn sent(parcels: &[(i64, i64)], returned: i64) -> Sent {
        let parcels: Vec<_> = parcels
            .iter()
            .map(|(day, units)| (start() + DAY * i32::try_from(*day).unwrap(), *units))
            .collect();
        let shipped = parcels.iter().map(|(_, units)| units).sum();
        Sent { line: LineId::new(), shipped, returned, is_settled: false, parcels }
    }

    fn ask(line: &Sent, quantity: i64, reason: Reason, now: DateTime<Utc>) -> Result<bool, Code> {
        judge(std::slice::from_ref(line), &[(line.line, quantity)], reason, now, WINDOW)
            .map_err(|error| error.code)
    }

    #[test]
    fn only_what_was_sent_and_is_not_on_its_way_back() {
        let line = sent(&[(0, 2), (1, 1)], 1);
        assert_eq!(ask(&line, 2, Reason::ChangedMind, start() + DAY), Ok(false));
        assert_eq!(ask(&line, 3, Reason::ChangedMind, start() + DAY), Err(Code::NotReturnable));
        assert_eq!(ask(&line, 1_000_000_000, Reason::Damaged, start() + DAY), Err(Code::NotReturnable));
        let settled = Sent { is_settled: true, ..line.clone() };
        assert_eq!(ask(&settled, 1, Reason::Damaged, start() + DAY), Err(Code::NotReturnable));
        for bad in [0, -1, i64::MIN] {
            assert_eq!(ask(&line, bad, Reason::Damaged, start()), Err(Code::InvalidField));
        }
        let judged = |asked: &[(LineId, i64)]| {
            judge(std::slice::from_ref(&line), asked, Reason::Damaged, start(), WINDOW).unwrap_err().code
        };
        assert_eq!(judged(&[]), Code::InvalidField);
        assert_eq!(judged(&[(LineId::new(), 1)]), Code::InvalidField);
        assert_eq!(judged(&[(line.line, 1), (line.line, 1)]), Code::InvalidField);
    }

    #[test]
    fn a_change_of_mind_has_its_window_and_its_end_is_exclusive() {
        let (line, tick) = (sent(&[(0, 1)], 0), TimeDelta::microseconds(1));
        for reason in [Reason::ChangedMind, Reason::Other] {
            assert_eq!(ask(&line, 1, reason, start() + WINDOW - tick), Ok(false));
            assert_eq!(ask(&line, 1, reason, start() + WINDOW), Err(Code::ReturnWindowOver));
        }
        for reason in [Reason::Damaged, Reason::WrongItem, Reason::NotAsDescribed] {
            assert_eq!(ask(&line, 1, reason, start() + WINDOW - tick), Ok(false));
            assert_eq!(ask(&line, 1, reason, start() + WINDOW), Ok(true));
        }
    }

    #[test]
    fn each_parcel_has_its_own_window() {
        let line = sent(&[(0, 2), (5, 1)], 0);
        let late = start() + WINDOW;
        assert_eq!(ask(&line, 1, Reason::ChangedMind, late), Ok(false));
        assert_eq!(ask(&line, 2, Reason::ChangedMind, late), Err(Code::ReturnWindowOver));
        assert_eq!(ask(&line, 2, Reason::Damaged, late), Ok(true));
    }

    #[test]
    fn a_return_goes_its_way_and_no_other() {
        use ReturnState::{Approved, Cancelled, Closed, Received, Refunded, Rejected, Requested};
        let states = [Requested, Approved, Rejected, Received, Refunded, Closed, Cancelled];
        let acts = [Act::Approve, Act::Reject, Act::Withdraw, Act::Receive, Act::Refund, Act::Close];
        let lawful = [
            (Requested, Act::Approve, Approved),
            (Requested, Act::Reject, Rejected),
            (Requested, Act::Withdraw, Cancelled),
            (Approved, Act::Withdraw, Cancelled),
            (Approved, Act::Receive, Received),
            (Approved, Act::Close, Closed),
            (Received, Act::Refund, Refunded),
            (Received, Act::Close, Closed),
        ];
        for state in states {
            for act in acts {
                let expected = lawful.iter().find(|(from, by, _)| *from == state && *by == act);
                let expected = expected.map(|(.., to)| *to).ok_or(Code::WrongReturnState);
                assert_eq!(next(state, act).map_err(|error| error.code), expected, "{state:?} {act:?}");
            }
        }
    }

    #[test]
    fn what_arrives_fits_what_was_asked_for() {
        let (tea, book) = (LineId::new(), LineId::new());
        let asked = [(tea, 3), (book, 1)];
        let check = |arrived: &[(LineId, i64, i64)]| {
            let arrived: Vec<_> = arrived
                .iter()
                .map(|(line, restocked, written_off)| {
                    (*line, Arrived { restocked: *restocked, written_off: *written_off })
                })
                .collect();
            check_arrived(&asked, &arrived).map_err(|error| error.errors[0].field.clone())
        };
        let says = |field: &str| Err(field.to_owned());
        assert_eq!(check(&[(tea, 2, 1), (book, 0, 1)]), Ok(()));
        assert_eq!(check(&[(tea, 1, 0)]), Ok(()));
        assert_eq!(check(&[(tea, 0, 0)]), says("lines"));
        assert_eq!(check(&[]), says("lines"));
        assert_eq!(check(&[(tea, 4, 0)]), says("lines[0].restock"));
        assert_eq!(check(&[(tea, 3, 1)]), says("lines[0].write_off"));
        assert_eq!(check(&[(tea, -1, 0)]), says("lines[0].restock"));
        assert_eq!(check(&[(tea, 0, i64::MAX)]), says("lines[0].write_off"));
        assert_eq!(check(&[(tea, 1, 0), (tea, 1, 0)]), says("lines[1].line"));
        assert_eq!(check(&[(LineId::new(), 1, 0)]), says("lines[0].line"));
    }

    #[test]
    fn the_first_units_get_what_does_not_divide() {
        assert_eq!([0, 1, 2].map(|before| share_minor(100, 3, before, 1)), [34, 33, 33]);
        assert_eq!(share_minor(100, 3, 0, 3), 100);
        assert_eq!(share_minor(0, 3, 1, 2), 0);
    }

    proptest! {
        #[test]
        fn all_units_together_are_worth_the_total(
            total in 0i64..100_000_000, sizes in prop::collection::vec(1i64..50, 1..10),
        ) {
            let quantity: i64 = sizes.iter().sum();
            let mut before = 0;
            let mut sum = 0;
            for units in sizes {
                let share = share_minor(total, quantity, before, units);
                prop_assert!(share >= 0);
                (before, sum) = (before + units, sum + share);
            }
            prop_assert_eq!(sum, total);
        }
    }
}
