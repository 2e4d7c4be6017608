//! Coupons over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Coupon, Issue};
use crate::promotion::campaigns::rules::{Benefit, Class};
use crate::promotion::treats::dto::{Redemption, WalletMerchant};
use crate::types::id::{AccountId, CampaignId, CouponId, CouponIssueId, JobId};
use crate::types::money::Money;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponQuestion {
    /// As it was typed.
    #[schema(example = "BOX4-7K2M-9QRT-X")]
    pub code: String,
}

/// What a code is, and whether the caller could use it on a cart that it fits.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CouponAnswer {
    /// What the campaign is called, in the caller's language.
    pub name: String,
    pub class: Class,
    pub benefit: Benefit,
    /// What the lines in its scope must come to.
    pub minimum_spend: Option<Money>,
    /// Exclusive.
    pub expires_at: Option<DateTime<Utc>>,
    pub may_use: bool,
    /// Why not: a stable name.
    pub refusal: Option<&'static str>,
    /// The same for the buyer to read.
    pub message: Option<&'static str>,
}

/// Something in the caller's wallet.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WalletItem {
    /// `coupon`; `partner_coupon`, good in the merchant's shop alone; `voucher`, to be shown at the merchant's counter.
    #[schema(example = "coupon")]
    pub kind: &'static str,
    #[serde(flatten)]
    pub coupon: WalletCoupon,
}

/// A coupon, or one of a treat, of the caller's own.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WalletCoupon {
    #[schema(example = "cpn_01939f…")]
    pub id: String,
    /// Of a coupon: send it among an order's `coupon_codes`.
    pub code: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub benefit: Option<Benefit>,
    pub minimum_spend: Option<Money>,
    /// `usable`, `not_started`, `paused`, `held`, `used`, `expired` or `revoked`.
    #[schema(example = "usable")]
    pub state: &'static str,
    /// Exclusive.
    pub expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// Of a treat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<WalletMerchant>,
    /// Of a voucher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face_value: Option<Money>,
    /// Of a voucher that a counter has taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redeemed: Option<Redemption>,
}

/// Codes that are good for one use each, made by a job.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIssue {
    /// 1 to 10,000,000.
    #[schema(example = 1_000_000)]
    pub quantity: i64,
    /// What all of them begin with: up to 12 letters and digits, no `U`.
    pub prefix: Option<String>,
    /// Random letters of a code besides prefix and check letter: 10 to 24, 12 by default.
    pub length: Option<i32>,
    /// Exclusive; with the campaign where it is absent.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Codes that are made together, and how far that is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CouponIssue)]
pub struct IssueView {
    pub id: CouponIssueId,
    pub campaign: CampaignId,
    pub quantity: i64,
    /// So many are there.
    pub made: i64,
    pub prefix: String,
    pub length: i32,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// The job that makes them; only told when it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

impl IssueView {
    pub fn new(issue: Issue, job: Option<JobId>) -> Self {
        Self {
            id: issue.id,
            campaign: issue.campaign_id,
            quantity: issue.quantity,
            made: issue.made,
            prefix: issue.prefix,
            length: issue.length,
            expires_at: issue.expires_at,
            created_by: issue.created_by,
            created_at: issue.created_at,
            ended_at: issue.ended_at,
            revoked_at: issue.revoked_at,
            job,
        }
    }
}

/// A code that people share, used as often as the campaign allows.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShared {
    /// Capitals, spaces and hyphens don't matter.
    #[schema(example = "MIDAUTUMN-2014")]
    pub code: String,
    /// Exclusive; with the campaign where it is absent.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Coupons for chosen accounts, one each.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrants {
    /// 1 to 1,000.
    pub accounts: Vec<AccountId>,
    /// Why: it goes into the audit log.
    pub reason: String,
}

/// A code, for operators.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminCoupon)]
pub struct CouponView {
    pub id: CouponId,
    pub campaign: CampaignId,
    pub code: String,
    pub is_shared: bool,
    pub account: Option<AccountId>,
    pub issue: Option<CouponIssueId>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl From<Coupon> for CouponView {
    fn from(coupon: Coupon) -> Self {
        Self {
            code: coupon.shown().to_owned(),
            id: coupon.id,
            campaign: coupon.campaign_id,
            is_shared: coupon.is_shared,
            account: coupon.account_id,
            issue: coupon.issue_id,
            expires_at: coupon.expires_at,
            revoked_at: coupon.revoked_at,
            created_at: coupon.created_at,
        }
    }
}

/// Which codes are to be revoked: one, those of an issue, or all of the campaign.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRevocation {
    pub coupon: Option<CouponId>,
    pub issue: Option<CouponIssueId>,
    pub all: Option<bool>,
    /// Why: it goes into the audit log.
    pub reason: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Revoked {
    /// Codes that weren't revoked before. Orders that hold or used one keep it.
    pub revoked: usize,
}
