//! Boards over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Board, Milestone, MilestoneKind};
use super::rules;
use crate::shop::drops::model::Drop;
use crate::shop::drops::rules::first_opening;
use crate::types::money::Money;

/// A public sales board.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBoard)]
pub struct BoardBody {
    /// Twenty at most.
    #[serde(default)]
    pub milestones: Vec<MilestoneBody>,
}

/// An amount that is announced when it is reached: either units or money.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMilestone)]
pub struct MilestoneBody {
    #[schema(example = 8000)]
    pub units: Option<i64>,
    pub revenue: Option<Money>,
}

/// What a drop has sold so far: orders that were paid. What is refunded later was sold all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Board)]
pub struct BoardView {
    pub units: i64,
    pub orders: i64,
    /// Of what was sold in the drop; without shipping.
    pub revenue: Money,
    /// For how long the drop has been open; absent before it opens. In an event count it from `opens_at` and `now`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_seconds: Option<i64>,
    pub milestones: Vec<MilestoneView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Milestone)]
pub struct MilestoneView {
    pub units: Option<i64>,
    pub revenue: Option<Money>,
    /// When it was reached, if it was; it stays reached.
    pub reached_at: Option<DateTime<Utc>>,
    /// How long that took from the opening.
    pub seconds_after_opening: Option<i64>,
}

impl BoardView {
    pub fn new(board: &Board, drop: &Drop, currency: &str, now: DateTime<Utc>) -> Self {
        let opens_at = first_opening(drop);
        let milestone = |of: &Milestone| MilestoneView {
            units: (of.kind == MilestoneKind::Units).then_some(of.amount),
            revenue: (of.kind == MilestoneKind::Revenue).then(|| Money::new(of.amount, currency)),
            reached_at: of.reached_at,
            seconds_after_opening: of.reached_at.map(|at| (at - opens_at).num_seconds()),
        };
        Self {
            units: board.sums.units,
            orders: board.sums.orders,
            revenue: Money::new(board.sums.revenue_minor, currency),
            open_seconds: rules::open_seconds(opens_at, drop.closes_at, now),
            milestones: board.milestones.iter().map(milestone).collect(),
        }
    }
}
