//! Upgrade offers, and quotes by them, over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::UpgradeOffer;
use super::rules::Judged;
use crate::checkout::claims::Pool;
use crate::loyalty::metrics::rules::{Criteria, Progress};
use crate::membership::upgrades::model::{Mode, UpgradeQuote};
use crate::promotion::campaigns::model::UNLIMITED;
use crate::types::id::{PlanId, TierId, UpgradeOfferId, UpgradeQuoteId};
use crate::types::locale::Names;
use crate::types::money::Money;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeQuoteRequest {
    /// Of a higher tier.
    pub plan: PlanId,
    /// `prorate`: pay for the time that is left, the end stays. `restart`: pay for a whole new term from now
    /// on.
    pub mode: Mode,
    /// The id or the code of an offer for the plan; none is used unless it is named.
    #[schema(example = "a-year-with-us")]
    pub offer: Option<String>,
}

/// What an upgrade costs: order it with `{"upgrade_quote": "upq_…"}` as a line.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = UpgradeQuote)]
pub struct UpgradeQuoteView {
    pub id: UpgradeQuoteId,
    pub plan: PlanId,
    pub mode: Mode,
    /// What is left of what you paid for.
    pub credit: Money,
    /// What the new term costs before the credit.
    pub charge: Money,
    /// `charge` less `credit`, never below 0.
    pub due: Money,
    /// Exclusive; null: for life. Of `restart` counted from the payment.
    pub ends_at: Option<DateTime<Utc>>,
    pub valid_until: DateTime<Utc>,
    /// By which it costs less; null too where no less is due by the one that was named, which so isn't used up.
    pub offer: Option<UpgradeOfferId>,
    /// By how much less is due than without the offer.
    pub discount: Money,
    /// Offers for the plan that you are entitled to: name one to be quoted by it. The cheapest first.
    pub offers: Vec<OfferedUpgrade>,
}

/// An offer by which an upgrade would cost less.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OfferedUpgrade {
    pub id: UpgradeOfferId,
    pub code: String,
    pub names: Names,
    /// Stands where the plan's price stands.
    pub price: Money,
    /// What would be due.
    pub due: Money,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
}

impl UpgradeQuoteView {
    /// `usable`: offers with what would be due by each.
    pub fn new<'a>(
        quote: UpgradeQuote,
        usable: impl Iterator<Item = (&'a UpgradeOffer, i64)>,
        currency: &str,
    ) -> Self {
        let money = |minor| Money::new(minor, currency);
        let offered = |(of, due_minor): (&UpgradeOffer, i64)| OfferedUpgrade {
            id: of.id,
            code: of.code.clone(),
            names: of.names.clone(),
            price: money(of.price_minor),
            due: money(due_minor),
            ends_at: of.ends_at,
        };
        Self {
            id: quote.id,
            plan: quote.plan_id,
            mode: quote.mode,
            credit: money(quote.credit_minor),
            charge: money(quote.charge_minor),
            due: money(quote.due_minor),
            ends_at: quote.ends_at,
            valid_until: quote.valid_until,
            offer: quote.offer_id,
            discount: money(quote.discount_minor),
            offers: usable.map(offered).collect(),
        }
    }
}

/// An offer for your membership.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = UpgradeOffer)]
pub struct UpgradeOfferView {
    pub id: UpgradeOfferId,
    pub code: String,
    pub names: Names,
    pub plan: PlanId,
    /// Stands where the plan's price stands.
    pub price: Money,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    /// You are entitled to it.
    pub met: bool,
    /// Each of what it asks for, beside what you have done.
    pub progress: Vec<Progress>,
    /// Nothing is left of it now.
    pub sold_out: bool,
}

impl UpgradeOfferView {
    pub fn new(of: Judged, currency: &str) -> Self {
        let Judged { offer, progress, met, left, .. } = of;
        Self {
            id: offer.id,
            code: offer.code,
            names: offer.names,
            plan: offer.plan,
            price: Money::new(offer.price_minor, currency),
            ends_at: offer.ends_at,
            met,
            progress,
            sold_out: left.is_used_up(),
        }
    }
}

/// Offers for your membership, the cheapest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UpgradeOffers {
    pub data: Vec<UpgradeOfferView>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUpgradeOffer {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "a-year-with-us")]
    pub code: String,
    pub names: Names,
    /// Absent: members of any lower tier.
    pub from_tier: Option<TierId>,
    /// What members change to.
    pub plan: PlanId,
    /// Below the plan's price, in whose place it stands; 0: nothing is charged.
    pub price: Money,
    /// One of `{"metric": …, "amount": …, "window": "P1Y"}`, `{"level": "gold"}`, `{"all": […]}`, `{"any":
    /// […]}`.
    #[schema(value_type = Object, example = json!({ "metric": "tenure", "amount": 365 }))]
    pub criteria: Value,
    /// Uses in all; absent: not limited.
    pub quota: Option<i64>,
    /// By how much less may be due by all uses together; absent: not limited.
    pub budget: Option<Money>,
    /// Now by default.
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    /// Who becomes entitled is told by mail, if he accepts news.
    #[serde(default)]
    pub mails: bool,
}

/// What is absent stays; null takes a limit away. What it costs, for whom and for what never changes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeOfferChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub ends_at: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub quota: Patch<i64>,
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub budget: Patch<Money>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub mails: Patch<bool>,
}

/// An offer, and how far its limits are used.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AdminUpgradeOffer {
    pub id: UpgradeOfferId,
    pub code: String,
    pub names: Names,
    pub from_tier: Option<TierId>,
    pub plan: PlanId,
    pub price: Money,
    #[schema(value_type = Object)]
    pub criteria: Criteria,
    /// Null: not limited.
    pub quota: Option<i64>,
    /// Uses of orders that wait for their payment.
    pub held: i64,
    /// Uses of paid orders.
    pub taken: i64,
    /// Null: not limited.
    pub budget: Option<Money>,
    pub budget_held: Money,
    pub budget_taken: Money,
    /// Null: not limited.
    pub budget_left: Option<Money>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub mails: bool,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl AdminUpgradeOffer {
    pub fn new(of: UpgradeOffer, pools: &[Pool], currency: &str) -> Self {
        let pool = |id| pools.iter().find(|pool| pool.id == id);
        let (uses, budget) = (pool(of.pool), pool(of.budget_pool));
        let limited = |pool: Option<&Pool>| pool.copied().filter(|pool| pool.capacity < UNLIMITED);
        let money = |minor| Money::new(minor, currency);
        Self {
            id: of.id,
            code: of.code,
            names: of.names,
            from_tier: of.from_tier,
            plan: of.plan,
            price: money(of.price_minor),
            criteria: of.criteria,
            quota: limited(uses).map(|pool| pool.capacity),
            held: uses.map_or(0, |pool| pool.held),
            taken: uses.map_or(0, |pool| pool.taken),
            budget: limited(budget).map(|pool| money(pool.capacity)),
            budget_held: money(budget.map_or(0, |pool| pool.held)),
            budget_taken: money(budget.map_or(0, |pool| pool.taken)),
            budget_left: limited(budget).map(|pool| money(pool.left())),
            starts_at: of.starts_at,
            ends_at: of.ends_at,
            mails: of.mails,
            created_at: of.created_at,
            archived_at: of.archived_at,
            version: of.version,
        }
    }
}
