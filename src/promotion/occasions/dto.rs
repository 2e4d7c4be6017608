//! Occasions over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::Occasion;
use super::rules::OccasionEvent;
use crate::checkout::claims::Pool;
use crate::promotion::campaigns::model::UNLIMITED;
use crate::types::id::{CampaignId, OccasionId};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOccasion {
    pub event: OccasionEvent,
    /// Which order, for `nth_order`: 1 for the first.
    pub nth: Option<i32>,
    /// What of: a campaign that needs codes.
    pub campaign: CampaignId,
    /// So many coupons in all; absent: as many as there are occasions.
    pub total: Option<i64>,
    /// What happened before doesn't count; now by default.
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Occasion)]
pub struct OccasionView {
    pub id: OccasionId,
    pub event: OccasionEvent,
    pub nth: Option<i32>,
    pub campaign: CampaignId,
    /// Null: not limited.
    pub total: Option<i64>,
    pub given: i64,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl OccasionView {
    pub fn new(of: Occasion, pools: &[Pool]) -> Self {
        let pool = pools.iter().find(|pool| pool.id == of.pool_id);
        Self {
            id: of.id,
            event: of.event,
            nth: of.nth,
            campaign: of.campaign_id,
            total: pool.map(|pool| pool.capacity).filter(|capacity| *capacity < UNLIMITED),
            given: pool.map_or(0, |pool| pool.taken),
            starts_at: of.starts_at,
            ends_at: of.ends_at,
            created_at: of.created_at,
            ended_at: of.ended_at,
        }
    }
}
