//! Benefits over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::Benefit;
use super::rules::{Gives, Window};
use super::uses::UseRow;
use crate::shop::rights::rules::Right;
use crate::types::id::{
    AccountId, BenefitId, BenefitUseId, CampaignId, CouponId, LevelId, OrderId, ProductId, TierId, VariantId,
};
use crate::types::locale::{Locale, Names};
use crate::types::money::Money;
use crate::types::patch::Patch;

/// The kind of the benefits that are digital goods.
pub const OPENS_PRODUCT: &str = "opens_product";
/// What those give.
const DIGITAL_RIGHT: &str = "digital_right";

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBenefit {
    /// Whose members get it; or else `level`.
    pub tier: Option<TierId>,
    /// Who stands on it gets it, member or not.
    pub level: Option<LevelId>,
    /// A stable word for programs: small letters, digits, underscores; one a tier or level; never changes. Of a tier's and a
    /// level's of one kind the better counts.
    #[schema(example = "monthly_coupon")]
    pub kind: String,
    pub gives: Gives,
    pub names: Names,
    /// The period in which so many are `allowed`, such as `P1M` or `P1Y`, counted from the start of the membership, of a level by
    /// the calendar; absent: once a person, whatever comes after.
    #[schema(example = "P1M")]
    pub every: Option<String>,
    /// How often in a period. Absent: as often as one likes, which goes with a service, early access and free shipping.
    pub allowed: Option<i64>,
    /// Of a coupon: a campaign that needs codes.
    pub campaign: Option<CampaignId>,
    /// Of an article: a variant or, by its id, a bundle.
    pub variant: Option<VariantId>,
    /// Of a service: what one use of it is worth. Of free shipping: the most that it takes off.
    pub value: Option<Money>,
    /// Also while somebody tries the membership; no by default, but yes for what is only told.
    pub in_trial: Option<bool>,
}

/// What is absent stays; what it gives and its period never change: archive it and make another one.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BenefitChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    /// What was used stays used.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub allowed: Patch<i64>,
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub value: Patch<Money>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub in_trial: Patch<bool>,
}

/// A benefit as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminBenefit)]
pub struct BenefitView {
    pub id: BenefitId,
    pub tier: Option<TierId>,
    pub level: Option<LevelId>,
    pub kind: String,
    pub gives: Gives,
    pub names: Names,
    pub every: Option<String>,
    pub allowed: Option<i64>,
    pub campaign: Option<CampaignId>,
    pub variant: Option<VariantId>,
    pub value: Option<Money>,
    pub in_trial: bool,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl BenefitView {
    pub fn new(benefit: Benefit, currency: &str) -> Self {
        Self {
            id: benefit.id,
            tier: benefit.tier(),
            level: benefit.level(),
            kind: benefit.kind,
            gives: benefit.gives,
            names: benefit.names,
            every: benefit.every.map(|every| every.to_string()),
            allowed: benefit.allowed,
            campaign: benefit.campaign_id,
            variant: benefit.variant_id,
            value: benefit.value_minor.map(|minor| Money::new(minor, currency)),
            in_trial: benefit.in_trial,
            created_at: benefit.created_at,
            archived_at: benefit.archived_at,
            version: benefit.version,
        }
    }
}

/// What a member has of his membership.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MembershipBenefit)]
pub struct OwnBenefit {
    /// Null for a digital good: `product` says which.
    pub id: Option<BenefitId>,
    /// `tier` or `level`.
    pub given_by: &'static str,
    /// A better one of the same kind counts in its place: nothing is left of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outranked_by: Option<BenefitId>,
    /// A stable word for programs.
    pub kind: String,
    /// `coupon`: `POST /v1/me/benefits/{id}/claim`. `article`: order the `variant` with `benefit`. `free_shipping`: comes with
    /// your next orders. `digital_right`: open it. `service` and `early_access`: as its name says.
    pub gives: &'static str,
    pub name: String,
    pub names: Names,
    /// The period in which so many are allowed; null: they are allowed once.
    pub every: Option<String>,
    /// How often in a period; null: as often as one likes.
    pub allowed: Option<i64>,
    /// In the period that runs.
    pub used: i64,
    pub left: Option<i64>,
    /// When the period ends, exclusive; null: never.
    pub until: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<VariantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
}

impl OwnBenefit {
    pub fn new(benefit: Benefit, window: Window, used: i64, locale: Locale) -> Self {
        Self {
            id: Some(benefit.id),
            given_by: if benefit.level().is_some() { "level" } else { "tier" },
            outranked_by: None,
            kind: benefit.kind,
            gives: benefit.gives.as_str(),
            name: benefit.names.pick(locale).to_owned(),
            names: benefit.names,
            every: benefit.every.map(|every| every.to_string()),
            allowed: benefit.allowed,
            used,
            left: benefit.allowed.map(|allowed| (allowed - used).max(0)),
            until: window.until,
            variant: benefit.variant_id,
            product: None,
        }
    }

    /// Another one counts in its place.
    pub fn outranked(self, by: Option<BenefitId>) -> Self {
        let left = if by.is_some() { Some(0) } else { self.left };
        Self { outranked_by: by, left, ..self }
    }

    /// A digital good that belonging opens.
    pub fn opened(right: Right, locale: Locale) -> Self {
        Self {
            id: None,
            given_by: "tier",
            outranked_by: None,
            kind: OPENS_PRODUCT.to_owned(),
            gives: DIGITAL_RIGHT,
            name: right.names.pick(locale).to_owned(),
            names: right.names,
            every: None,
            allowed: None,
            used: 0,
            left: None,
            until: right.ends_at,
            variant: None,
            product: Some(right.product),
        }
    }
}

/// One use of a benefit.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BenefitUse {
    pub id: BenefitUseId,
    pub benefit: BenefitId,
    /// The benefit's; in operators' lists it is that of the benefit that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whose; in your own list it is yours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// With which order; null for what comes without one.
    pub order: Option<OrderId>,
    pub coupon: Option<CouponId>,
    /// What others pay for it; null for a coupon, whose worth is what it takes off.
    pub worth: Option<Money>,
    pub note: Option<String>,
    pub used_at: DateTime<Utc>,
    /// It no longer counts since then: its order ended unpaid or went back.
    pub released_at: Option<DateTime<Utc>>,
}

impl BenefitUse {
    pub fn new(row: UseRow, currency: &str) -> Self {
        let is_coupon = row.coupon_id.is_some();
        Self {
            id: row.id,
            benefit: row.benefit_id,
            kind: None,
            account: Some(row.account_id),
            order: row.order_id,
            coupon: row.coupon_id,
            worth: (!is_coupon).then(|| Money::new(row.worth_minor, currency)),
            note: row.note,
            used_at: row.created_at,
            released_at: row.released_at,
        }
    }

    /// As who used it sees it.
    pub fn own(row: UseRow, kind: String, currency: &str) -> Self {
        Self { kind: Some(kind), account: None, ..Self::new(row, currency) }
    }
}

/// Who used a service: one of `number` and `account`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceUse {
    /// The member's number.
    #[schema(example = "LJ0047")]
    pub number: Option<String>,
    pub account: Option<AccountId>,
    /// What it was, for the member too.
    #[schema(max_length = 200)]
    pub note: Option<String>,
}

/// Why a use is taken back.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UseReleased {
    pub reason: String,
}
