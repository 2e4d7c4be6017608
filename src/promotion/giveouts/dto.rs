//! Give-outs over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::GiveOut;
use crate::promotion::campaigns::rules::{Benefit, Class};
use crate::promotion::coupons::dto::WalletCoupon;
use crate::promotion::games::dto::{PlayView, PublicGame};
use crate::promotion::packets::dto::{ClaimedPacket, PublicChain, PublicPacket};
use crate::promotion::treats::dto::WalletMerchant;
use crate::shop::audience::Audience;
use crate::types::id::{CampaignId, GiveOutId, TreatId};
use crate::types::money::Money;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGiveOut {
    /// Small letters, digits, hyphens: the address that people come to.
    #[schema(example = "double-eleven")]
    pub code: String,
    /// What of: a campaign that needs codes, or a treat.
    pub campaign: Option<CampaignId>,
    pub treat: Option<TreatId>,
    /// For whom: who is signed in by default.
    pub audience: Option<Audience>,
    pub starts_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    /// A new round begins every so many minutes; absent: one round from the start to the end.
    #[schema(example = 60)]
    pub every_minutes: Option<i32>,
    /// Coupons of a round. What nobody takes is not carried over.
    pub per_round: i64,
    /// Of one person over all rounds, 1 by default; one in a round.
    pub per_person: Option<i32>,
    /// What taking one costs; absent: nothing.
    pub points: Option<i64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminGiveOut)]
pub struct GiveOutView {
    pub id: GiveOutId,
    pub code: String,
    pub campaign: Option<CampaignId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub treat: Option<TreatId>,
    pub audience: Audience,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub every_minutes: Option<i32>,
    pub per_round: i64,
    pub per_person: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<GiveOut> for GiveOutView {
    fn from(of: GiveOut) -> Self {
        Self {
            id: of.id,
            code: of.code,
            campaign: of.campaign_id,
            treat: of.treat_id,
            audience: of.audience,
            starts_at: of.starts_at,
            ends_at: of.ends_at,
            every_minutes: of.every_minutes,
            per_round: of.per_round,
            per_person: of.per_person,
            points: of.points,
            created_at: of.created_at,
            ended_at: of.ended_at,
        }
    }
}

/// What a claim brought. Of a coupon and of a treat there are all fields that it has in the wallet.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Claimed {
    /// `coupon`, `partner_coupon`, `voucher`, `credit` (store credit), `packet` (one that was started in a chain), or `nothing`.
    #[schema(example = "coupon")]
    pub kind: &'static str,
    #[serde(flatten)]
    pub coupon: Option<WalletCoupon>,
    /// Store credit that was won, or a part of a packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Of a game: how it was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub play: Option<PlayView>,
    /// The packet that was opened or started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet: Option<ClaimedPacket>,
}

impl Claimed {
    pub fn coupon(coupon: WalletCoupon) -> Self {
        Self { kind: "coupon", coupon: Some(coupon), ..Self::nothing() }
    }

    pub fn credit(amount: Money) -> Self {
        Self { kind: "credit", amount: Some(amount), ..Self::nothing() }
    }

    pub fn nothing() -> Self {
        Self { kind: "nothing", coupon: None, amount: None, play: None, packet: None }
    }
}

/// What there is to claim under a code: `kind` tells which.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum PublicClaim {
    GiveOut(PublicGiveOut),
    Game(PublicGame),
    Packet(PublicPacket),
    Chain(PublicChain),
}

/// A give-out as everybody sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PublicGiveOut {
    /// `give_out`
    #[schema(example = "give_out")]
    pub kind: &'static str,
    pub code: String,
    /// What the campaign or the treat is called, in the caller's language.
    pub name: String,
    /// Of a coupon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub benefit: Option<Benefit>,
    /// Of a treat: whose, and what one must know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<WalletMerchant>,
    /// Of a voucher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face_value: Option<Money>,
    /// `scheduled`, `open`, `given_out` (until the next round) or `closed`.
    #[schema(example = "open")]
    pub state: &'static str,
    /// Of the round that runs.
    pub remaining: i64,
    pub per_round: i64,
    /// What taking one costs; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<i64>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// When the next round begins.
    pub next_round_at: Option<DateTime<Utc>>,
}
