//! Referrals and their programme over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Referral, ReferralState, RewardRow, RewardState, Side};
use super::programme::{Programme, Reward};
use crate::checkout::claims::Pool;
use crate::error::Result;
use crate::promotion::campaigns::model::UNLIMITED;
use crate::types::id::{AccountId, CouponId, OrderId, ReferralId};
use crate::types::money::Money;
use crate::types::patch::Patch;

/// A reward, and what became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReferralRewardView)]
pub struct RewardView {
    pub side: Side,
    #[serde(flatten)]
    pub reward: Reward,
    pub state: RewardState,
    /// Of a coupon that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon: Option<CouponId>,
    pub given_at: Option<DateTime<Utc>>,
}

impl RewardView {
    /// # Errors
    /// Never in practice.
    pub fn new(row: &RewardRow, currency: &str) -> Result<Self> {
        Ok(Self {
            side: row.side,
            reward: row.reward(currency)?,
            state: row.state,
            coupon: row.coupon_id,
            given_at: row.given_at,
        })
    }
}

/// One of your referrals.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OwnReferral {
    pub id: ReferralId,
    /// The first letter of your friend's name, where one is known.
    #[schema(example = "张**")]
    pub friend: Option<String>,
    pub state: ReferralState,
    /// Why it waits, was refused or reversed: a stable name. Of one that is looked at, `in_review`.
    #[schema(example = "inviter_not_verified")]
    pub reason: Option<String>,
    /// What you get; null where you were promised nothing.
    pub reward: Option<RewardView>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl OwnReferral {
    pub fn new(referral: Referral, friend: Option<String>, reward: Option<RewardView>) -> Self {
        // What gave him away is for operators alone.
        let reason = match referral.reason.as_deref() {
            Some("suspicious" | "dispute") => Some("in_review".to_owned()),
            Some("self_invitation" | "operator" | "friend_gone") => Some("not_eligible".to_owned()),
            Some("dispute_lost") => Some("refunded".to_owned()),
            other => other.map(str::to_owned),
        };
        Self {
            id: referral.id,
            friend,
            state: referral.state,
            reason,
            reward,
            created_at: referral.created_at,
            ended_at: referral.ended_at,
        }
    }
}

/// A referral as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminReferral)]
pub struct ReferralView {
    pub id: ReferralId,
    pub inviter: AccountId,
    pub friend: AccountId,
    /// The friend's first paid order.
    pub order: OrderId,
    /// As it was given.
    pub code: String,
    /// What the order came to, without shipping.
    pub basis: Money,
    pub state: ReferralState,
    pub reason: Option<String>,
    /// What made it suspicious: `same_person`, `inviters_card`, `card_used_before`, `inviters_address`, `shared_address`,
    /// `mutual`.
    pub signals: Vec<String>,
    pub released_at: Option<DateTime<Utc>>,
    pub rewards: Vec<RewardView>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl ReferralView {
    pub fn new(referral: Referral, rewards: Vec<RewardView>, currency: &str) -> Self {
        Self {
            id: referral.id,
            inviter: referral.inviter_id,
            friend: referral.friend_id,
            order: referral.order_id,
            code: referral.code,
            basis: Money::new(referral.basis_minor, currency),
            state: referral.state,
            reason: referral.reason,
            signals: referral.signals,
            released_at: referral.released_at,
            rewards,
            created_at: referral.created_at,
            ended_at: referral.ended_at,
        }
    }
}

/// Why an operator decides so.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferralVerdict {
    /// For the audit log.
    pub reason: String,
}

/// Caps of the programme; null: none.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReferralCaps {
    /// Referrals of one inviter that count on one day of the shop.
    pub per_inviter_day: Option<i32>,
    /// Referrals of one inviter that count at all.
    pub per_inviter: Option<i32>,
    /// Referrals that count, of everybody.
    pub total: Option<i64>,
    /// Store credit for both sides of all referrals.
    pub budget: Option<Money>,
}

/// How far the programme's caps are used.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReferralUse {
    /// Referrals that wait or are looked at.
    pub held: i64,
    /// Rewarded ones.
    pub taken: i64,
    pub budget_held: Money,
    pub budget_taken: Money,
}

/// The referral programme.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReferralProgramme)]
pub struct ProgrammeView {
    pub is_on: bool,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    /// A code that was given at sign-up counts for that many days.
    pub touch_days: i32,
    /// What the friend's first paid order must come to, without shipping.
    pub minimum_order: Money,
    pub inviter_reward: Option<Reward>,
    pub friend_reward: Option<Reward>,
    pub caps: ReferralCaps,
    pub used: ReferralUse,
    pub version: i32,
}

impl ProgrammeView {
    pub fn new(of: Programme, total: Option<Pool>, budget: Option<Pool>, currency: &str) -> Self {
        let capacity = |pool: Option<Pool>| pool.map(|pool| pool.capacity).filter(|most| *most < UNLIMITED);
        let money = |minor| Money::new(minor, currency);
        Self {
            is_on: of.is_on,
            starts_at: of.starts_at,
            ends_at: of.ends_at,
            touch_days: of.touch_days,
            minimum_order: money(of.minimum_minor),
            inviter_reward: of.inviter_reward,
            friend_reward: of.friend_reward,
            caps: ReferralCaps {
                per_inviter_day: of.per_inviter_day,
                per_inviter: of.per_inviter,
                total: capacity(total),
                budget: capacity(budget).map(money),
            },
            used: ReferralUse {
                held: total.map_or(0, |pool| pool.held),
                taken: total.map_or(0, |pool| pool.taken),
                budget_held: money(budget.map_or(0, |pool| pool.held)),
                budget_taken: money(budget.map_or(0, |pool| pool.taken)),
            },
            version: of.version,
        }
    }
}

/// Changes of the caps.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferralCapsChange {
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub per_inviter_day: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub per_inviter: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub total: Patch<i64>,
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub budget: Patch<Money>,
}

/// What is to be changed; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReferralProgrammeChange)]
pub struct ProgrammeChange {
    pub is_on: Option<bool>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub starts_at: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub ends_at: Patch<DateTime<Utc>>,
    pub touch_days: Option<i32>,
    pub minimum_order: Option<Money>,
    #[serde(default)]
    #[schema(value_type = Option<Reward>)]
    pub inviter_reward: Patch<Reward>,
    #[serde(default)]
    #[schema(value_type = Option<Reward>)]
    pub friend_reward: Patch<Reward>,
    #[serde(default)]
    pub caps: ReferralCapsChange,
}
