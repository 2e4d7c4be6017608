//! Uses that a card paid for too often, over the wire, for operators.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Flag, Outcome};
use crate::types::id::{CampaignId, CouponUseId, OrderId};

/// A use of a coupon by a card that had paid for as many as a person may have. The order stands until somebody decides.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CouponFlag {
    pub id: CouponUseId,
    pub campaign: CampaignId,
    pub campaign_code: String,
    pub order: OrderId,
    pub order_number: String,
    /// Uses of the campaign that the card had paid for before.
    pub earlier: i32,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub outcome: Option<Outcome>,
    pub reason: Option<String>,
}

impl From<Flag> for CouponFlag {
    fn from(flag: Flag) -> Self {
        Self {
            id: flag.use_id,
            campaign: flag.campaign,
            campaign_code: flag.campaign_code,
            order: flag.order,
            order_number: flag.order_number,
            earlier: flag.earlier,
            created_at: flag.created_at,
            ended_at: flag.ended_at,
            outcome: flag.outcome,
            reason: flag.reason,
        }
    }
}

/// What to do about it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagDecision {
    /// `kept`: the order stands. `refunded`: all of it goes back, and on sale again.
    pub outcome: Outcome,
    #[schema(max_length = 500)]
    pub reason: String,
}
