//! Give-outs over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::GiveOut;
use crate::promotion::campaigns::rules::{Benefit, Class};
use crate::shop::audience::Audience;
use crate::types::id::{CampaignId, GiveOutId};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGiveOut {
    /// Small letters, digits, hyphens: the address that people come to.
    #[schema(example = "double-eleven")]
    pub code: String,
    /// What of: a campaign that needs codes.
    pub campaign: CampaignId,
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
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminGiveOut)]
pub struct GiveOutView {
    pub id: GiveOutId,
    pub code: String,
    pub campaign: CampaignId,
    pub audience: Audience,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub every_minutes: Option<i32>,
    pub per_round: i64,
    pub per_person: i32,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<GiveOut> for GiveOutView {
    fn from(of: GiveOut) -> Self {
        Self {
            id: of.id,
            code: of.code,
            campaign: of.campaign_id,
            audience: of.audience,
            starts_at: of.starts_at,
            ends_at: of.ends_at,
            every_minutes: of.every_minutes,
            per_round: of.per_round,
            per_person: of.per_person,
            created_at: of.created_at,
            ended_at: of.ended_at,
        }
    }
}

/// A give-out as everybody sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PublicGiveOut {
    pub code: String,
    /// What the campaign is called, in the caller's language.
    pub name: String,
    pub class: Class,
    pub benefit: Benefit,
    /// `scheduled`, `open`, `given_out` (until the next round) or `closed`.
    #[schema(example = "open")]
    pub state: &'static str,
    /// Of the round that runs.
    pub remaining: i64,
    pub per_round: i64,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// When the next round begins.
    pub next_round_at: Option<DateTime<Utc>>,
}
