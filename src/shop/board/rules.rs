//! What a board may announce, and how long a drop has been open.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::dto::MilestoneBody;
use super::model::MilestoneKind;
use crate::error::{Code, Result};
use crate::fields;
use crate::types::id::DropId;

const MILESTONES_MAX: usize = 20;
/// Of units, or of minor units of money.
const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// The milestones that an operator typed, each an amount of one kind.
///
/// # Errors
/// `invalid_field`
pub fn milestones(typed: &[MilestoneBody], currency: &str) -> Result<Vec<(MilestoneKind, i64)>> {
    if typed.len() > MILESTONES_MAX {
        return Err(Code::InvalidField.at("board.milestones", format!("expected at most {MILESTONES_MAX}")));
    }
    let mut known = Vec::with_capacity(typed.len());
    for (index, body) in typed.iter().enumerate() {
        let field = |name: &str| format!("board.milestones[{index}]{name}");
        let milestone = match (body.units, &body.revenue) {
            (Some(units), None) => {
                (MilestoneKind::Units, fields::within(&field(".units"), units, 1, AMOUNT_MAX)?)
            }
            (None, Some(money)) if money.currency == currency => {
                let amount = fields::within(&field(".revenue.amount"), money.amount, 1, AMOUNT_MAX)?;
                (MilestoneKind::Revenue, amount)
            }
            (None, Some(_)) => {
                let why = format!("the shop's currency is {currency}");
                return Err(Code::InvalidField.at(field(".revenue.currency"), why));
            }
            _ => return Err(Code::InvalidField.at(field(""), "expected either units or revenue")),
        };
        if known.contains(&milestone) {
            return Err(Code::InvalidField.at(field(""), "named twice"));
        }
        known.push(milestone);
    }
    Ok(known)
}

/// Seconds for which a drop has been open; none before it opens, and no more after it has closed.
pub fn open_seconds(opens_at: DateTime<Utc>, closes_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<i64> {
    let open = now.min(closes_at) - opens_at;
    (open >= TimeDelta::zero()).then(|| open.num_seconds())
}

/// Units and money of each drop that an order's lines were bought in: (drop, units, minor units).
pub fn by_drop(lines: &[(DropId, i64, i64)]) -> BTreeMap<DropId, (i64, i64)> {
    let mut sales: BTreeMap<DropId, (i64, i64)> = BTreeMap::new();
    for (drop, units, minor) in lines {
        let sale = sales.entry(*drop).or_default();
        sale.0 += *units;
        sale.1 += *minor;
    }
    sales
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::money::Money;

    fn units(units: i64) -> MilestoneBody {
        MilestoneBody { units: Some(units), revenue: None }
    }

    fn revenue(amount: i64, currency: &str) -> MilestoneBody {
        MilestoneBody { units: None, revenue: Some(Money::new(amount, currency)) }
    }

    #[test]
    fn a_milestone_is_one_amount_of_one_kind() {
        let ask = |typed: &[MilestoneBody]| milestones(typed, "CNY");
        let good = ask(&[units(1), revenue(10_000_000_000, "CNY"), units(8_000)]).unwrap();
        assert_eq!(good[1], (MilestoneKind::Revenue, 10_000_000_000));
        let field = |typed: &[MilestoneBody]| ask(typed).unwrap_err().errors[0].field.clone();
        assert_eq!(field(&[units(0)]), "board.milestones[0].units");
        assert_eq!(field(&[units(1), revenue(1, "USD")]), "board.milestones[1].revenue.currency");
        assert_eq!(field(&[units(1), units(1)]), "board.milestones[1]");
        let both = MilestoneBody { units: Some(1), ..revenue(1, "CNY") };
        assert_eq!(field(&[both]), "board.milestones[0]");
        assert_eq!(field(&[MilestoneBody { units: None, revenue: None }]), "board.milestones[0]");
        assert!(ask(&(1..=20).map(units).collect::<Vec<_>>()).is_ok());
        assert_eq!(field(&(1..=21).map(units).collect::<Vec<_>>()), "board.milestones");
    }

    #[test]
    fn the_clock_runs_from_the_opening_to_the_close() {
        let opens_at: DateTime<Utc> = "2014-06-17T02:00:00Z".parse().unwrap();
        let closes_at = opens_at + TimeDelta::hours(1);
        let ask = |at| open_seconds(opens_at, closes_at, at);
        assert_eq!(ask(opens_at - TimeDelta::microseconds(1)), None);
        assert_eq!(ask(opens_at), Some(0));
        assert_eq!(ask(opens_at + TimeDelta::seconds(510)), Some(510));
        assert_eq!(ask(closes_at + TimeDelta::days(1)), Some(3_600));
    }

    #[test]
    fn an_order_is_one_sale_of_each_drop() {
        let (one, two) = (DropId::new(), DropId::new());
        let sales = by_drop(&[(one, 1, 100), (two, 2, 50), (one, 3, 7)]);
        assert_eq!((sales[&one], sales[&two]), ((4, 107), (2, 50)));
    }
}
