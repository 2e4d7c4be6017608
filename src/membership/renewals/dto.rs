//! What members say of the end of their term, over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::types::id::{PlanId, RenewalId};
use crate::types::money::Money;

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewalSwitch {
    /// Is the saved card charged at the end?
    pub on: bool,
}

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MembershipCancelRequest {
    /// For the shop to learn from.
    #[schema(example = "I moved abroad.")]
    pub reason: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedChangeRequest {
    /// What the membership becomes at its end: of a lower tier, or another plan of its own. Null: what was planned is dropped.
    pub plan: Option<PlanId>,
}

/// What comes at the end of the term.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ComingRenewal {
    /// The saved card is charged then.
    pub on: bool,
    /// The plan that follows, by id, where any does.
    pub plan: Option<PlanId>,
    /// What it costs now; once notice was given, what was told.
    pub price: Option<Money>,
    /// Another plan follows than the present one, as the member wished.
    pub is_change: bool,
    /// When the member was told what will be charged.
    pub noticed_at: Option<DateTime<Utc>>,
    /// Why the last charge failed: `card_removed`, `authentication_required`, `insufficient_funds` …
    pub failure: Option<String>,
    /// When the card is charged once more.
    pub next_charge_at: Option<DateTime<Utc>>,
    pub cancelled_at: Option<DateTime<Utc>>,
}

/// A renewal that can be ordered: `{renewal: id}` is its line.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Renewal)]
pub struct RenewalView {
    pub id: RenewalId,
    pub plan: PlanId,
    pub price: Money,
    /// The end from which it goes on.
    pub from: DateTime<Utc>,
}
