//! Trials over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::membership::memberships::dto::MembershipView;
use crate::types::id::{PlanId, TrialId};

/// The plan to try.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialRequest {
    /// One that has `trial_days`.
    pub plan: PlanId,
}

/// A trial, and the membership that it makes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StartedTrial {
    pub id: TrialId,
    pub plan: PlanId,
    pub days: i32,
    pub starts_at: DateTime<Utc>,
    /// Exclusive: then it ends by itself, unless the plan was bought.
    pub ends_at: DateTime<Utc>,
    pub membership: MembershipView,
}
