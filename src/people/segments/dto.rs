//! Segments over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::Segment;
use super::rules::Rule;
use crate::types::id::{AccountId, SegmentId};
use crate::types::patch::Patch;

/// A segment to make: with a rule, or a list that is filled afterwards.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSegment {
    /// Small letters, digits, hyphens; never changes. Audiences name it: `{"who": "segment", "segment": "…"}`.
    pub code: String,
    /// For operators.
    pub name: String,
    /// One condition: `all`, `any` (lists of conditions), `not`, `tier_at_least`, `level_at_least`, `stage_at_least`, `tag`,
    /// `spent`, `bought`, `member_before` or `signed_up_before`.
    #[schema(value_type = Option<Object>, example = json!({ "all": [
        { "tier_at_least": "regular" },
        { "spent": { "at_least": { "amount": 100_000, "currency": "CNY" }, "within_days": 365 } },
    ] }))]
    pub rule: Option<Value>,
}

/// Each field may be left out. A list can't become a rule, nor a rule a list.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentChange {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub rule: Patch<Value>,
}

/// A rule to try.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentPreview {
    #[schema(value_type = Object)]
    pub rule: Value,
}

/// Whom a rule would mean now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SegmentPreviewed {
    pub count: i64,
    /// The newest of them.
    pub accounts: Vec<AccountId>,
}

/// Accounts to put on a list, by id or address; at most a thousand together.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentAdditions {
    #[serde(default)]
    pub accounts: Vec<AccountId>,
    #[serde(default)]
    pub emails: Vec<String>,
}

/// People that prices, drops and rights may be for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Segment)]
pub struct SegmentView {
    pub id: SegmentId,
    pub code: String,
    pub name: String,
    /// Null: a saved list.
    #[schema(value_type = Option<Object>)]
    pub rule: Option<Rule>,
    /// How many are in it now; where one segment is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl SegmentView {
    pub fn new(segment: Segment, count: Option<i64>) -> Self {
        Self {
            id: segment.id,
            code: segment.code,
            name: segment.name,
            rule: segment.rule,
            count,
            created_at: segment.created_at,
            archived_at: segment.archived_at,
            version: segment.version,
        }
    }
}

/// Somebody in a segment.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SegmentAccount {
    pub account: AccountId,
}

/// What operators call somebody by.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tags {
    /// At most fifty, of at most fifty characters.
    pub tags: Vec<String>,
}
