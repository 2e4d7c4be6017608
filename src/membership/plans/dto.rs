//! Plans over the wire, for operators.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Plan, Renews};
use crate::types::id::{PlanId, TierId};
use crate::types::money::Money;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "diehard-2013")]
    pub code: String,
    pub tier: TierId,
    /// A period such as `P1Y`, `P1M`, `P7D`, or `lifetime`.
    #[schema(example = "P1Y")]
    pub term: String,
    pub price: Money,
    /// With `card`, card must be among the methods.
    pub renews: Renews,
    /// `card`, `wechat_pay`, `alipay`.
    #[schema(example = json!(["wechat_pay"]))]
    pub payment_methods: Vec<String>,
    /// How long an unpaid order holds its place, from when its payment page is ready: 1 to 1380.
    #[serde(default = "default_hold_minutes")]
    #[schema(default = 15)]
    pub hold_minutes: i32,
    /// False: sold in drives alone.
    #[serde(default)]
    pub open_sale: bool,
    /// Members of a lower tier may change to it, even where it isn't on open sale.
    #[serde(default)]
    pub open_upgrade: bool,
    /// New people may try it for so many days without payment, at most 365; 0: they can't.
    #[serde(default)]
    pub trial_days: i32,
    /// How many associates its member may have (`POST /v1/me/associates`): 0 to 50.
    #[serde(default)]
    pub associate_seats: i32,
}

fn default_hold_minutes() -> i32 {
    15
}

/// What is absent stays. Orders that exist keep what they sold.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanChange {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub term: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub price: Patch<Money>,
    #[serde(default)]
    #[schema(value_type = Option<Renews>)]
    pub renews: Patch<Renews>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub payment_methods: Patch<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub hold_minutes: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub open_sale: Patch<bool>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub open_upgrade: Patch<bool>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub trial_days: Patch<i32>,
    /// Counts for who is a member already; associates who are there stay.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub associate_seats: Patch<i32>,
}

/// Which plans.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PlanFilter {
    /// Of this tier alone.
    pub tier: Option<TierId>,
}

/// A plan as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminPlan)]
pub struct PlanView {
    pub id: PlanId,
    pub code: String,
    pub tier: TierId,
    pub term: String,
    pub price: Money,
    pub renews: Renews,
    pub payment_methods: Vec<&'static str>,
    pub hold_minutes: i32,
    pub open_sale: bool,
    pub open_upgrade: bool,
    pub trial_days: i32,
    pub associate_seats: i32,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl From<Plan> for PlanView {
    fn from(plan: Plan) -> Self {
        Self {
            id: plan.id,
            code: plan.code,
            tier: plan.tier,
            term: plan.term.to_string(),
            price: Money::new(plan.price_minor, &plan.currency),
            renews: plan.renews,
            payment_methods: plan.payment_methods.iter().map(|method| method.as_str()).collect(),
            hold_minutes: plan.hold_minutes,
            open_sale: plan.open_sale,
            open_upgrade: plan.open_upgrade,
            trial_days: plan.trial_days,
            associate_seats: plan.associate_seats,
            created_at: plan.created_at,
            archived_at: plan.archived_at,
            version: plan.version,
        }
    }
}
