//! How much of an order can go back, and of which lines.

use crate::error::{Code, Result};
use crate::types::id::LineId;
use crate::types::money::split_minor;

/// A line, as far as refunds see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refundable {
    pub line: LineId,
    pub total_minor: i64,
    pub refunded_minor: i64,
}

impl Refundable {
    pub fn left_minor(&self) -> i64 {
        self.total_minor - self.refunded_minor
    }
}

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All that is left.
    Full,
    /// These lines, each in full or by an amount.
    Lines(Vec<(LineId, Option<i64>)>),
    /// So much, split over the lines by what is left of each.
    Amount(i64),
    /// Just these parts.
    Exactly(Parts),
}

/// What goes back, of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    pub lines: Vec<(LineId, i64)>,
    pub shipping_minor: i64,
}

impl Parts {
    pub fn amount_minor(&self) -> i64 {
        self.lines.iter().map(|(_, minor)| minor).sum::<i64>() + self.shipping_minor
    }
}

impl Parts {
    /// What of them is money, and what was paid with points. Of each line goes back first what money paid of it, and has so
    /// much left; of all together no more than there is.
    pub fn by_means(&self, money_minor: i64, of_line: impl Fn(LineId) -> i64) -> (Self, Self) {
        let mut left = money_minor.max(0);
        let mut take = |minor: i64, most: i64| {
            let part = minor.min(most.max(0)).min(left);
            left -= part;
            part
        };
        // The parcel was paid with money alone.
        let shipping_minor = take(self.shipping_minor, self.shipping_minor);
        let mut money = Self { lines: Vec::new(), shipping_minor };
        let mut points = Self { lines: Vec::new(), shipping_minor: self.shipping_minor - shipping_minor };
        for (line, minor) in &self.lines {
            let part = take(*minor, of_line(*line));
            money.lines.extend((part > 0).then_some((*line, part)));
            points.lines.extend((minor - part > 0).then_some((*line, minor - part)));
        }
        (money, points)
    }

    /// What of them goes back by the payment, which has so much left, and what into store credit. Lines come first, in their
    /// order, then the shipping.
    pub fn split(&self, payment_minor: i64) -> (Self, Self) {
        let mut left = payment_minor.max(0);
        let mut paid = Self { lines: Vec::new(), shipping_minor: 0 };
        let mut credit = paid.clone();
        for (line, minor) in &self.lines {
            let part = left.min(*minor);
            left -= part;
            paid.lines.extend((part > 0).then_some((*line, part)));
            credit.lines.extend((minor - part > 0).then_some((*line, minor - part)));
        }
        paid.shipping_minor = left.min(self.shipping_minor);
        credit.shipping_minor = self.shipping_minor - paid.shipping_minor;
        (paid, credit)
    }
}

/// The amount a line, and of the shipping; they sum to the refund. Shipping goes back with all that is left, or where an
/// amount is more than the lines have.
///
/// # Errors
/// `nothing_to_refund`, `refund_exceeds_captured`, `invalid_field` for a line that isn't the order's or an amount below 1.
pub fn plan(lines: &[Refundable], shipping_minor: i64, asked: &Asked) -> Result<Parts> {
    let of_lines: i64 = lines.iter().map(Refundable::left_minor).sum();
    if of_lines + shipping_minor == 0 {
        return Err(Code::NothingToRefund.error());
    }
    let shipping_minor = match asked {
        Asked::Full => shipping_minor,
        Asked::Amount(amount) if *amount > of_lines + shipping_minor => {
            return Err(Code::RefundExceedsCaptured.error());
        }
        Asked::Amount(amount) => (amount - of_lines).max(0),
        Asked::Lines(_) => 0,
        Asked::Exactly(parts) => return exactly(lines, shipping_minor, parts),
    };
    let lines = match asked {
        Asked::Amount(amount) if of_lines > 0 => plan_lines(lines, &Asked::Amount(amount - shipping_minor))?,
        Asked::Amount(amount) if *amount >= 1 => Vec::new(),
        Asked::Full if of_lines == 0 => Vec::new(),
        asked => plan_lines(lines, asked)?,
    };
    Ok(Parts { lines, shipping_minor })
}

fn plan_lines(lines: &[Refundable], asked: &Asked) -> Result<Vec<(LineId, i64)>> {
    let left_minor: i64 = lines.iter().map(Refundable::left_minor).sum();
    if left_minor == 0 {
        return Err(Code::NothingToRefund.error());
    }
    let parts = match asked {
        Asked::Full => lines.iter().map(|line| (line.line, line.left_minor())).collect(),
        Asked::Lines(wanted) => by_lines(lines, wanted)?,
        Asked::Exactly(parts) => parts.lines.clone(),
        Asked::Amount(amount) if *amount < 1 => {
            return Err(Code::InvalidField.at("amount.amount", "expected at least 1"));
        }
        Asked::Amount(amount) if *amount > left_minor => return Err(Code::RefundExceedsCaptured.error()),
        Asked::Amount(amount) => {
            let weights: Vec<_> = lines.iter().map(Refundable::left_minor).collect();
            let parts = split_minor(*amount, &weights).map_err(|_| Code::AmountOutOfRange)?;
            lines.iter().map(|line| line.line).zip(parts).collect()
        }
    };
    Ok(parts.into_iter().filter(|(_, minor): &(LineId, i64)| *minor > 0).collect())
}

/// Parts that another rule has worked out, no more than is left of each line and of the shipping.
fn exactly(lines: &[Refundable], shipping_minor: i64, parts: &Parts) -> Result<Parts> {
    let fits = |(id, minor): &(LineId, i64)| {
        lines.iter().any(|line| line.line == *id && (0..=line.left_minor()).contains(minor))
    };
    if !(0..=shipping_minor).contains(&parts.shipping_minor) || !parts.lines.iter().all(fits) {
        return Err(Code::RefundExceedsCaptured.error());
    }
    let lines: Vec<_> = parts.lines.iter().copied().filter(|(_, minor)| *minor > 0).collect();
    let parts = Parts { lines, shipping_minor: parts.shipping_minor };
    if parts.amount_minor() == 0 { Err(Code::NothingToRefund.error()) } else { Ok(parts) }
}

/// What an expulsion gives back of a line, and what has gone back of it by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promised {
    pub amount_minor: i64,
    /// When it was promised.
    pub before_minor: i64,
    /// Now.
    pub refunded_minor: i64,
    /// By refunds of the expulsion itself, failed ones too: those are an operator's to mend.
    pub own_minor: i64,
    pub own_failed_minor: i64,
}

impl Promised {
    /// What has yet to go back: what went back since then for another reason is a part of it.
    pub fn due_minor(self) -> i64 {
        let since_minor = self.refunded_minor - self.before_minor + self.own_failed_minor;
        (self.amount_minor - since_minor).min(self.amount_minor - self.own_minor).max(0)
    }
}

/// Of these parts of lines what is left of each.
pub fn at_most(lines: &[Refundable], wanted: &[(LineId, i64)]) -> Vec<(LineId, i64)> {
    let left = |id: LineId| lines.iter().find(|line| line.line == id).map_or(0, Refundable::left_minor);
    let parts = wanted.iter().map(|(id, minor)| (*id, left(*id).min(*minor)));
    parts.filter(|(_, minor)| *minor > 0).collect()
}

fn by_lines(lines: &[Refundable], wanted: &[(LineId, Option<i64>)]) -> Result<Vec<(LineId, i64)>> {
    let mut parts: Vec<(LineId, i64)> = Vec::with_capacity(wanted.len());
    for (index, (id, amount)) in wanted.iter().enumerate() {
        let field = format!("lines[{index}]");
        let line = lines
            .iter()
            .find(|line| line.line == *id)
            .ok_or_else(|| Code::InvalidField.at(format!("{field}.line"), "not a line of this order"))?;
        if parts.iter().any(|(known, _)| known == id) {
            return Err(Code::InvalidField.at(format!("{field}.line"), "named twice"));
        }
        let minor = amount.unwrap_or(line.left_minor());
        if amount.is_some_and(|minor| minor < 1) {
            return Err(Code::InvalidField.at(format!("{field}.amount.amount"), "expected at least 1"));
        }
        if minor > line.left_minor() {
            return Err(Code::RefundExceedsCaptured.error());
        }
        if minor == 0 {
            return Err(Code::NothingToRefund.error());
        }
        parts.push((*id, minor));
    }
    if parts.is_empty() { Err(Code::InvalidField.at("lines", "expected at least one")) } else { Ok(parts) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_an_expulsion_promises_is_paid_once_whatever_else_goes_back() {
        let promised = Promised {
            amount_minor: 150,
            before_minor: 20,
            refunded_minor: 20,
            own_minor: 0,
            own_failed_minor: 0,
        };
        assert_eq!(promised.due_minor(), 150);
        // Another refund has paid a part of it, or more than it.
        assert_eq!(Promised { refunded_minor: 120, ..promised }.due_minor(), 50);
        assert_eq!(Promised { refunded_minor: 200, ..promised }.due_minor(), 0);
        let paid = Promised { refunded_minor: 170, own_minor: 50, ..promised };
        assert_eq!(paid.due_minor(), 0);
        // That one failed since: the rest, and no more than the rest.
        assert_eq!(Promised { refunded_minor: 70, ..paid }.due_minor(), 100);
        assert_eq!(Promised { refunded_minor: 170, own_minor: 150, ..promised }.due_minor(), 0);
        // What had gone back before comes back: no more than was promised.
        assert_eq!(Promised { refunded_minor: 0, ..promised }.due_minor(), 150);
        // Its own refund failed: an operator's.
        assert_eq!(Promised { own_minor: 150, own_failed_minor: 150, ..promised }.due_minor(), 0);
    }

    use super::*;
    use proptest::prelude::*;

    fn lines(amounts: &[(i64, i64)]) -> Vec<Refundable> {
        let line = |(total_minor, refunded_minor): &(i64, i64)| Refundable {
            line: LineId::new(),
            total_minor: *total_minor,
            refunded_minor: *refunded_minor,
        };
        amounts.iter().map(line).collect()
    }

    #[test]
    fn never_more_than_is_left() {
        let lines = lines(&[(20_000, 5_000), (100, 100)]);
        assert_eq!(plan_lines(&lines, &Asked::Full).unwrap(), [(lines[0].line, 15_000)]);
        assert_eq!(plan_lines(&lines, &Asked::Amount(15_000)).unwrap(), [(lines[0].line, 15_000)]);
        let code = |asked| plan(&lines, 0, &asked).unwrap_err().code;
        assert_eq!(code(Asked::Amount(15_001)), Code::RefundExceedsCaptured);
        assert_eq!(code(Asked::Amount(0)), Code::InvalidField);
        assert_eq!(code(Asked::Lines(vec![(lines[0].line, Some(15_001))])), Code::RefundExceedsCaptured);
        assert_eq!(code(Asked::Lines(vec![(lines[1].line, None)])), Code::NothingToRefund);
        assert_eq!(code(Asked::Lines(vec![(LineId::new(), None)])), Code::InvalidField);
        let twice = vec![(lines[0].line, Some(1)), (lines[0].line, Some(1))];
        assert_eq!(code(Asked::Lines(twice)), Code::InvalidField);
        assert_eq!(code(Asked::Lines(Vec::new())), Code::InvalidField);
    }

    #[test]
    fn no_more_than_is_left_of_a_line_is_wanted() {
        let lines = lines(&[(20_000, 5_000), (100, 100)]);
        let (one, two) = (lines[0].line, lines[1].line);
        assert_eq!(at_most(&lines, &[(one, 14_999), (two, 1)]), [(one, 14_999)]);
        assert_eq!(at_most(&lines, &[(one, 15_001), (LineId::new(), 5)]), [(one, 15_000)]);
    }

    #[test]
    fn shipping_goes_back_last_or_with_all() {
        let lines = lines(&[(20_000, 5_000)]);
        let ask =
            |asked| plan(&lines, 1_200, &asked).map(|parts| (parts.amount_minor(), parts.shipping_minor));
        assert_eq!(ask(Asked::Full).unwrap(), (16_200, 1_200));
        assert_eq!(ask(Asked::Amount(15_000)).unwrap(), (15_000, 0));
        assert_eq!(ask(Asked::Amount(15_001)).unwrap(), (15_001, 1));
        assert_eq!(ask(Asked::Amount(16_201)).unwrap_err().code, Code::RefundExceedsCaptured);
        assert_eq!(ask(Asked::Lines(vec![(lines[0].line, None)])).unwrap(), (15_000, 0));
        let spent = [Refundable { refunded_minor: 20_000, ..lines[0] }];
        assert_eq!(plan(&spent, 1_200, &Asked::Full).unwrap().amount_minor(), 1_200);
        assert_eq!(plan(&spent, 1_200, &Asked::Amount(1)).unwrap().shipping_minor, 1);
        assert_eq!(plan(&spent, 0, &Asked::Full).unwrap_err().code, Code::NothingToRefund);
    }

    #[test]
    fn parts_that_were_worked_out_fit_what_is_left() {
        let lines = lines(&[(20_000, 5_000), (0, 0)]);
        let ask = |minor, shipping_minor| {
            let parts = vec![(lines[0].line, minor), (lines[1].line, 0)];
            let asked = Asked::Exactly(Parts { lines: parts, shipping_minor });
            plan(&lines, 1_200, &asked).map_err(|error| error.code)
        };
        let parts = ask(15_000, 1_200).unwrap();
        assert_eq!((parts.lines, parts.shipping_minor), (vec![(lines[0].line, 15_000)], 1_200));
        assert_eq!(ask(0, 1).unwrap().amount_minor(), 1);
        assert_eq!(ask(15_001, 0), Err(Code::RefundExceedsCaptured));
        assert_eq!(ask(0, 1_201), Err(Code::RefundExceedsCaptured));
        assert_eq!(ask(-1, 1), Err(Code::RefundExceedsCaptured));
        assert_eq!(ask(0, 0), Err(Code::NothingToRefund));
    }

    proptest! {
        #[test]
        fn a_split_loses_nothing(
            minors in prop::collection::vec(0i64..1_000, 0..6),
            shipping_minor in 0i64..1_000,
            payment_minor in -10i64..5_000,
        ) {
            let lines: Vec<_> = minors.iter().map(|minor| (LineId::new(), *minor)).collect();
            let parts = Parts { lines: lines.clone(), shipping_minor };
            let (paid, credit) = parts.split(payment_minor);
            prop_assert_eq!(paid.amount_minor(), parts.amount_minor().min(payment_minor.max(0)));
            prop_assert_eq!(paid.shipping_minor + credit.shipping_minor, shipping_minor);
            for (id, minor) in lines {
                let of = |parts: &Parts| parts.lines.iter().filter(|(line, _)| *line == id).map(|(_, part)| part).sum::<i64>();
                prop_assert_eq!(of(&paid) + of(&credit), minor);
            }
        }

        #[test]
        fn parts_sum_to_the_refund_and_fit_their_lines(
            totals in prop::collection::vec((0i64..1_000_000, 0i64..1_000), 1..6),
            share in 1i64..1_000,
        ) {
            let lines = lines(&totals.iter().map(|(total, refunded)| (total + refunded, *refunded)).collect::<Vec<_>>());
            let left: i64 = totals.iter().map(|(total, _)| *total).sum();
            prop_assume!(left > 0);
            let amount = (left * share / 1_000).max(1);
            let parts = plan(&lines, 0, &Asked::Amount(amount)).unwrap().lines;
            prop_assert_eq!(parts.iter().map(|(_, minor)| *minor).sum::<i64>(), amount);
            for (id, minor) in parts {
                let line = lines.iter().find(|line| line.line == id).unwrap();
                prop_assert!(minor <= line.left_minor());
            }
        }
    }
}
