//! Measures over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{AppealState, Kind, Measure, State};
use crate::membership::community::model::MoneyRule;
use crate::types::id::{AccountId, MeasureId, MembershipId};
use crate::types::money::Money;

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMeasure {
    pub kind: Kind,
    /// The rule that was broken; the member reads it.
    #[schema(example = "§ 3: No advertising")]
    pub rule: String,
    /// What he did; the member reads it.
    pub reason: String,
    /// Of a suspension: 1 to 365.
    pub days: Option<i64>,
    /// Of an expulsion: what becomes of the money; by default what the rules of the community promise, never less.
    pub money: Option<MoneyRule>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Appeal {
    /// At most 5000 characters.
    pub text: String,
}

/// Why it is decided so; the member reads it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureDecision {
    pub reason: String,
}

/// Which measures.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MeasureFilter {
    pub account: Option<AccountId>,
    pub state: Option<State>,
    pub appeal: Option<AppealState>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Measure)]
pub struct MeasureView {
    pub id: MeasureId,
    pub kind: Kind,
    pub state: State,
    /// The version of the rules that was in force.
    pub rules_version: String,
    pub rule: String,
    pub reason: String,
    /// Of an expulsion.
    pub money: Option<MoneyRule>,
    /// Of an expulsion: what goes back of the money.
    pub refund: Option<Money>,
    /// Of a suspension (exclusive).
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// Until then the member may appeal (exclusive).
    pub appeal_until: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub appeal: Option<String>,
    pub appealed_at: Option<DateTime<Utc>>,
    pub appeal_state: Option<AppealState>,
    /// Why the appeal was decided so, or the measure lifted.
    pub decision: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminMeasure)]
pub struct AdminMeasureView {
    pub account: AccountId,
    pub membership: MembershipId,
    #[serde(flatten)]
    pub measure: MeasureView,
}

impl MeasureView {
    pub fn new(row: Measure, currency: &str) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            rules_version: row.version,
            rule: row.rule,
            reason: row.reason,
            money: row.money,
            refund: row.back_minor.map(|back| Money::new(back, currency)),
            ends_at: row.ends_at,
            created_at: row.created_at,
            appeal_until: row.appeal_until,
            ended_at: row.ended_at,
            appeal: row.appeal,
            appealed_at: row.appealed_at,
            appeal_state: row.appeal_state,
            decision: row.decision,
            decided_at: row.decided_at,
        }
    }
}

impl AdminMeasureView {
    pub fn new(row: Measure, currency: &str) -> Self {
        Self {
            account: row.account_id,
            membership: row.membership_id,
            measure: MeasureView::new(row, currency),
        }
    }
}
