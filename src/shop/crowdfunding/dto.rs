//! Goals and backers over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Counts, Figures, Goal};
use super::rules::{self, FundingState};
use crate::error::{Code, Result};
use crate::fields;
use crate::shop::drops::model::Drop;
use crate::types::money::Money;

/// More is a slip of the keyboard.
const GOAL_MAX: i64 = 1_000_000_000_000;

/// What has to come together by the end: either units or an amount.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DropGoal)]
pub struct GoalBody {
    /// Of whatever the drop sells.
    #[schema(example = 500)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<i64>,
    /// Prices of what is sold, without shipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
}

impl GoalBody {
    /// `units_on_sale`: of all that the drop sells.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn parse(&self, currency: &str, units_on_sale: i64) -> Result<Goal> {
        match (self.units, &self.amount) {
            (Some(units), None) => {
                let units = fields::within("goal.units", units, 1, units_on_sale)?;
                Ok(Goal::new(Counts::Units, units, currency))
            }
            (None, Some(money)) if money.currency != currency => {
                Err(Code::InvalidField
                    .at("goal.amount.currency", format!("the shop's currency is {currency}")))
            }
            (None, Some(money)) => {
                let minor = fields::within("goal.amount.amount", money.amount, 1, GOAL_MAX)?;
                Ok(Goal::new(Counts::Amount, minor, currency))
            }
            _ => Err(Code::InvalidField.at("goal", "expected either units or amount")),
        }
    }

    fn of(goal: &Goal) -> Self {
        match goal.counts {
            Counts::Units => Self { units: Some(goal.goal), amount: None },
            Counts::Amount => Self { units: None, amount: Some(Money::new(goal.goal, &goal.currency)) },
        }
    }
}

/// What was pledged.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Pledged {
    pub units: i64,
    pub amount: Money,
}

/// How a crowdfunded drop stands: paid, and not refunded. Once it is decided, the figures are those of the decision.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Crowdfunding)]
pub struct FundingView {
    pub goal: GoalBody,
    pub pledged: Pledged,
    /// People, not orders.
    pub backers: i64,
    pub state: FundingState,
    /// Exclusive. It is decided then, or once the last ones have paid who ordered in time.
    pub ends_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
}

impl FundingView {
    /// None where the drop isn't crowdfunded.
    pub fn of(drop: &Drop) -> Option<Self> {
        let goal = drop.goal.as_ref()?;
        let Figures { units, minor, backers } =
            goal.decision.map_or(goal.pledged, |decision| decision.figures);
        Some(Self {
            goal: GoalBody::of(goal),
            pledged: Pledged { units, amount: Money::new(minor, &goal.currency) },
            backers,
            state: rules::state(goal),
            ends_at: rules::ends_at(drop),
            decided_at: goal.decision.map(|decision| decision.decided_at),
        })
    }
}

/// Somebody who wants to be named.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Backer)]
pub struct BackerView {
    #[schema(example = "罗小姐")]
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_units_that_there_are_or_an_amount() {
        let units = |units| GoalBody { units: Some(units), amount: None };
        let amount = |minor, currency| GoalBody { units: None, amount: Some(Money::new(minor, currency)) };
        let parse = |body: GoalBody| body.parse("CNY", 500);
        assert_eq!(parse(units(500)).unwrap(), Goal::new(Counts::Units, 500, "CNY"));
        assert_eq!(parse(amount(1, "CNY")).unwrap(), Goal::new(Counts::Amount, 1, "CNY"));
        let both = GoalBody { units: Some(1), amount: Some(Money::new(1, "CNY")) };
        for (body, field) in [
            (units(0), "goal.units"),
            (units(501), "goal.units"),
            (amount(0, "CNY"), "goal.amount.amount"),
            (amount(GOAL_MAX + 1, "CNY"), "goal.amount.amount"),
            (amount(1, "USD"), "goal.amount.currency"),
            (GoalBody::default(), "goal"),
            (both, "goal"),
        ] {
            assert_eq!(parse(body).unwrap_err().errors[0].field, field);
        }
    }
}
