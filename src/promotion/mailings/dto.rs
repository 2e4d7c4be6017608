//! Mailings over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::Mailing;
use crate::types::id::{CampaignId, JobId, MailingId, SegmentId};

/// Whom to give a coupon each.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMailing {
    /// The segment's code.
    #[schema(example = "spent-much")]
    pub segment: String,
    /// Why: it goes into the audit log.
    pub reason: String,
}

/// Coupons for a segment, and how far that is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CouponMailing)]
pub struct MailingView {
    pub id: MailingId,
    pub campaign: CampaignId,
    pub segment: SegmentId,
    /// In the segment when it began.
    pub accounts: i64,
    /// So many have theirs.
    pub given: i64,
    /// So many of those are told by mail: who accepts news, at a verified address.
    pub mailed: i64,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// The job that does it; only told when it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

impl MailingView {
    pub fn new(of: Mailing, job: Option<JobId>) -> Self {
        Self {
            id: of.id,
            campaign: of.campaign_id,
            segment: of.segment_id,
            accounts: of.accounts,
            given: of.given,
            mailed: of.mailed,
            created_by: of.created_by,
            created_at: of.created_at,
            ended_at: of.ended_at,
            job,
        }
    }
}
