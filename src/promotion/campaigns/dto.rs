//! Coupon campaigns over the wire, for operators.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Campaign, OnRepeatCard, UNLIMITED};
use super::rules::{Benefit, Class, Conditions, Scope};
use crate::checkout::claims::Pool;
use crate::checkout::orders::dto::{LineRequest, ShippingRequest};
use crate::checkout::orders::quote_dto::CouponOutcome;
use crate::checkout::pricing::rules::{Explained, TotalsView};
use crate::types::id::{AccountId, CampaignId};
use crate::types::locale::Names;
use crate::types::money::Money;
use crate::types::patch::Patch;

/// How often it can be used, and for how much. What is absent isn't limited; in a change null takes a limit away.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CouponLimits)]
pub struct NewLimits {
    /// Uses in all.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub total: Patch<i64>,
    /// Uses of one person, whatever addresses he has.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub per_person: Patch<i32>,
    /// Codes of it in one order; 1 by default.
    pub per_order: Option<i32>,
    /// Uses in one day of the shop.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub per_day: Patch<i32>,
    /// What all uses may take off together.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub budget: Patch<Money>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "mid-autumn-2014")]
    pub code: String,
    pub names: Names,
    pub class: Class,
    pub benefit: Benefit,
    #[serde(default)]
    pub scope: Scope,
    #[serde(default)]
    pub conditions: Conditions,
    /// Classes of coupons that may stand beside it, if they agree; none by default.
    #[serde(default)]
    pub combines_with: Vec<Class>,
    /// Among sets that cost the buyer the same the one of higher priority is used; 0 by default.
    #[serde(default)]
    pub priority: i32,
    /// It needs no code.
    #[serde(default)]
    pub automatic: bool,
    #[serde(default)]
    pub limits: NewLimits,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    /// A code that is given to somebody ends so many days later.
    pub valid_days: Option<i32>,
    /// `flag` by default.
    #[serde(default)]
    pub on_repeat_card: OnRepeatCard,
}

/// What is absent stays. What was promised stays too: from the first code or use on, what it gives, on what and to whom
/// can't change, limits of a person, an order and a day only rise, and the window only grows. Copy it instead.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    pub benefit: Option<Benefit>,
    pub scope: Option<Scope>,
    pub conditions: Option<Conditions>,
    pub combines_with: Option<Vec<Class>>,
    pub priority: Option<i32>,
    #[serde(default)]
    pub limits: NewLimits,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub starts_at: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub ends_at: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub valid_days: Patch<i32>,
    pub on_repeat_card: Option<OnRepeatCard>,
}

/// A new campaign with the rule of another one, and limits, codes and figures of its own. It begins paused.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignCopy {
    pub code: String,
    /// As before where it is absent.
    pub names: Option<Names>,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
}

/// Limits, and how far they are used.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminCouponLimits)]
pub struct LimitsView {
    pub total: Option<i64>,
    pub per_person: Option<i32>,
    pub per_order: i32,
    pub per_day: Option<i32>,
    pub budget: Option<Money>,
    /// Uses of orders that wait for their payment; none where uses aren't counted.
    pub held: Option<i64>,
    /// Uses of paid orders.
    pub taken: Option<i64>,
    /// Of the budget.
    pub budget_held: Option<Money>,
    pub budget_taken: Option<Money>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminCouponCampaign)]
pub struct CampaignView {
    pub id: CampaignId,
    pub code: String,
    pub names: Names,
    pub class: Class,
    pub benefit: Benefit,
    pub scope: Scope,
    pub conditions: Conditions,
    pub combines_with: Vec<Class>,
    pub priority: i32,
    pub automatic: bool,
    pub limits: LimitsView,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
    pub valid_days: Option<i32>,
    pub on_repeat_card: OnRepeatCard,
    pub created_at: DateTime<Utc>,
    pub paused_at: Option<DateTime<Utc>>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
    /// What is probably not meant: `scope_matches_nothing`, `no_code_yet`.
    pub warnings: Vec<&'static str>,
}

impl CampaignView {
    pub fn new(campaign: Campaign, pools: &[Pool], warnings: Vec<&'static str>, currency: &str) -> Self {
        let pool = |id| pools.iter().find(|pool| Some(pool.id) == id);
        let (uses, budget) = (pool(campaign.pool), pool(campaign.budget_pool));
        let limit = |pool: &Pool| Some(pool.capacity).filter(|capacity| *capacity < UNLIMITED);
        let money = |minor| Money::new(minor, currency);
        Self {
            limits: LimitsView {
                total: uses.and_then(limit),
                per_person: campaign.per_person,
                per_order: campaign.per_order,
                per_day: campaign.per_day,
                budget: budget.and_then(limit).map(money),
                held: uses.map(|pool| pool.held),
                taken: uses.map(|pool| pool.taken),
                budget_held: budget.map(|pool| money(pool.held)),
                budget_taken: budget.map(|pool| money(pool.taken)),
            },
            id: campaign.id,
            code: campaign.code,
            names: campaign.names,
            class: campaign.class,
            benefit: campaign.benefit,
            scope: campaign.scope,
            conditions: campaign.conditions,
            combines_with: campaign.combines_with,
            priority: campaign.priority,
            automatic: campaign.automatic,
            starts_at: campaign.starts_at,
            ends_at: campaign.ends_at,
            valid_days: campaign.valid_days,
            on_repeat_card: campaign.on_repeat_card,
            created_at: campaign.created_at,
            paused_at: campaign.paused_at,
            archived_at: campaign.archived_at,
            version: campaign.version,
            warnings,
        }
    }
}

/// What would this cost that account at that time, with the campaign as if it needed no code?
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    pub account: AccountId,
    pub lines: Vec<LineRequest>,
    #[serde(default)]
    pub coupon_codes: Vec<String>,
    pub shipping: Option<ShippingRequest>,
    /// Now where it is absent.
    pub at: Option<DateTime<Utc>>,
}

/// The answer, and every coupon that was looked at with the reason of each that isn't used.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Simulated {
    pub totals: TotalsView,
    pub explanation: Vec<Explained>,
    pub coupons: Vec<CouponOutcome>,
}

/// What a campaign did on one day of the shop.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CouponDay)]
pub struct DayView {
    pub day: NaiveDate,
    /// Uses of orders placed that day that wait for their payment.
    pub held: i64,
    /// Of such that were paid.
    pub redeemed: i64,
    /// Of such that ended unpaid, or were given back.
    pub released: i64,
    /// What the redeemed ones took off, shipping too.
    pub discount: Money,
    /// What their orders came to.
    pub revenue: Money,
}

/// What a campaign came to.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CouponFigures)]
pub struct FiguresView {
    /// Codes that were made.
    pub issued: i64,
    /// Of those, the ones that were given to somebody.
    pub given: i64,
    pub held: i64,
    pub redeemed: i64,
    pub released: i64,
    pub discount: Money,
    pub revenue: Money,
    pub budget: Option<Money>,
    /// Newest first.
    pub days: Vec<DayView>,
}
