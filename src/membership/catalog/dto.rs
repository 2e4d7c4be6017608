//! Tiers, plans and drives as everybody sees them, in one language.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::membership::benefits::dto::OPENS_PRODUCT;
use crate::membership::benefits::model::Benefit;
use crate::membership::drives::model::{Admission, Drive};
use crate::membership::drives::rules::{self, State};
use crate::membership::plans::model::{Plan, Renews};
use crate::membership::tiers::model::Tier;
use crate::shop::products::model::Product;
use crate::types::id::{DriveId, PlanId, ProductId, TierId};
use crate::types::locale::{Locale, Names};
use crate::types::money::Money;

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Tier)]
pub struct TierView {
    pub id: TierId,
    pub code: String,
    /// In the language of Accept-Language.
    pub name: String,
    pub names: Names,
    /// The higher the better.
    pub rank: i32,
    /// Those that its operators wrote, then the digital goods that it opens.
    pub benefits: Vec<TierBenefitView>,
    /// Code of the tier that the associates of its members are of: this one, or another.
    pub associate_tier: String,
    /// What it is sold as, the cheapest first.
    pub plans: Vec<PlanView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TierBenefit)]
pub struct TierBenefitView {
    /// A stable word for programs.
    pub kind: String,
    pub name: String,
    pub names: Names,
    /// The period in which so many are allowed; null: they are allowed once.
    pub every: Option<String>,
    /// How often in a period; null: as often as one likes.
    pub allowed: Option<i64>,
    /// Of the kind `opens_product`: what every member of the tier may open (`GET /v1/me/access`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<OpenedProductView>,
}

/// A digital good that a tier opens.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OpenedProduct)]
pub struct OpenedProductView {
    pub id: ProductId,
    pub slug: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Plan)]
pub struct PlanView {
    pub id: PlanId,
    pub code: String,
    /// `P1Y`, `P1M`, `P7D`, `lifetime` …
    pub term: String,
    pub price: Money,
    pub renews: Renews,
    pub payment_methods: Vec<&'static str>,
    /// False: sold in drives alone.
    pub open_sale: bool,
    /// True: members of a lower tier may change to it (`POST /v1/upgrade-quotes`).
    pub open_upgrade: bool,
    /// New people may try it for so many days without payment (`POST /v1/me/trials`); 0: they can't.
    pub trial_days: i32,
    /// How many associates its member may have (`POST /v1/me/associates`).
    pub associate_seats: i32,
}

/// `remaining` is at most a second old.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Drive)]
pub struct DriveView {
    pub id: DriveId,
    pub code: String,
    /// Drives of one series give one place a person.
    pub series: String,
    /// In the language of Accept-Language.
    pub name: String,
    pub names: Names,
    pub plan: DrivePlanView,
    pub quota: i64,
    /// Quota less what is held and taken.
    pub remaining: i64,
    /// Of what has been let out so far; 0 outside the window.
    pub available_now: i64,
    /// When the next part of the quota is let out.
    pub next_release_at: Option<DateTime<Utc>>,
    pub admission: Admission,
    pub state: State,
    pub opens_at: DateTime<Utc>,
    /// Exclusive.
    pub closes_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DrivePlan)]
pub struct DrivePlanView {
    pub id: PlanId,
    pub code: String,
    /// The tier's code.
    pub tier: String,
    pub term: String,
    pub price: Money,
}

impl TierView {
    /// `associates` is the code of the tier that its members' associates are of. `plans` and `benefits` of all tiers; its own
    /// are taken.
    /// `opens`: the digital goods that it opens.
    pub fn new(
        tier: &Tier,
        associates: &str,
        (plans, benefits): (&[Plan], &[Benefit]),
        opens: &[&Product],
        locale: Locale,
    ) -> Self {
        let opened = opens.iter().map(|product| TierBenefitView {
            kind: OPENS_PRODUCT.to_owned(),
            name: product.names.pick(locale).to_owned(),
            names: product.names.clone(),
            every: None,
            allowed: None,
            product: Some(OpenedProductView { id: product.id, slug: product.slug.clone() }),
        });
        Self {
            id: tier.id,
            code: tier.code.clone(),
            name: tier.names.pick(locale).to_owned(),
            names: tier.names.clone(),
            rank: tier.rank,
            benefits: benefits
                .iter()
                .filter(|benefit| benefit.tier() == Some(tier.id))
                .map(|benefit| TierBenefitView {
                    kind: benefit.kind.clone(),
                    name: benefit.names.pick(locale).to_owned(),
                    names: benefit.names.clone(),
                    every: benefit.every.map(|every| every.to_string()),
                    allowed: benefit.allowed,
                    product: None,
                })
                .chain(opened)
                .collect(),
            associate_tier: associates.to_owned(),
            plans: plans.iter().filter(|plan| plan.tier == tier.id).map(PlanView::from).collect(),
        }
    }
}

impl From<&Plan> for PlanView {
    fn from(plan: &Plan) -> Self {
        Self {
            id: plan.id,
            code: plan.code.clone(),
            term: plan.term.to_string(),
            price: Money::new(plan.price_minor, &plan.currency),
            renews: plan.renews,
            payment_methods: plan.payment_methods.iter().map(|method| method.as_str()).collect(),
            open_sale: plan.open_sale,
            open_upgrade: plan.open_sale || plan.open_upgrade,
            trial_days: plan.trial_days,
            associate_seats: plan.associate_seats,
        }
    }
}

impl DriveView {
    pub fn new(drive: &Drive, locale: Locale, now: DateTime<Utc>) -> Self {
        Self {
            id: drive.id,
            code: drive.code.clone(),
            series: drive.series.clone(),
            name: locale.pick(&drive.name_zh, &drive.name_en).clone(),
            names: Names::new(&drive.name_zh, &drive.name_en),
            plan: DrivePlanView {
                id: drive.plan.id,
                code: drive.plan.code.clone(),
                tier: drive.plan.tier_code.clone(),
                term: drive.plan.term.to_string(),
                price: Money::new(drive.plan.price_minor, &drive.plan.currency),
            },
            quota: drive.quota,
            remaining: rules::remaining(drive),
            available_now: rules::available_now(drive, now),
            next_release_at: rules::next_release_at(drive, now),
            admission: drive.admission,
            state: rules::state(drive, now),
            opens_at: drive.opens_at,
            closes_at: drive.closes_at,
        }
    }
}
