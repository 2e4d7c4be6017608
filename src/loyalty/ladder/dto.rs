//! The ladder over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::StageChangeRow;
use super::rules::Stage;
use crate::loyalty::metrics::rules::Criteria;
use crate::types::id::{StageChangeId, StageId};
use crate::types::locale::Names;
use crate::types::patch::Patch;

/// A stage as operators see it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminStage)]
pub struct StageView {
    pub id: StageId,
    pub code: String,
    /// The higher the closer: of several whose criteria hold, the highest counts.
    pub rank: i32,
    pub names: Names,
    #[schema(value_type = Object)]
    pub criteria: Criteria,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl From<Stage> for StageView {
    fn from(stage: Stage) -> Self {
        Self {
            id: stage.id,
            code: stage.code,
            rank: stage.rank,
            names: stage.names,
            criteria: stage.criteria,
            created_at: stage.created_at,
            archived_at: stage.archived_at,
            version: stage.version,
        }
    }
}

#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStage {
    /// Small letters, digits, hyphens; never changes. Segments name it: `{"stage_at_least": "…"}`.
    #[schema(example = "fan")]
    pub code: String,
    pub rank: i32,
    pub names: Names,
    /// `{"metric", "amount", "window"?}`, `{"level": "any" or a code}`, or `all` or `any` of these. Metrics: `spend` (minor units),
    /// `level_points`, `orders`, `referrals`, `tenure` (days), `check_ins`.
    #[schema(value_type = Object, example = json!({ "all": [
        { "metric": "orders", "amount": 2, "window": "P1Y" }, { "metric": "referrals", "amount": 1 },
    ] }))]
    pub criteria: Value,
}

/// What is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StageChange {
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub rank: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub criteria: Patch<Value>,
}

/// Somebody's stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct OwnStage {
    pub code: String,
    pub name: String,
    pub names: Names,
    pub since: DateTime<Utc>,
}

/// A step up or down the ladder.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct StageStep {
    pub id: StageChangeId,
    /// Codes; null: none.
    pub from: Option<String>,
    pub to: Option<String>,
    /// The criteria of the higher one, and what was counted for them.
    #[schema(value_type = Object)]
    pub why: Value,
    pub created_at: DateTime<Utc>,
}

impl StageStep {
    pub fn new(row: StageChangeRow, stages: &[Stage]) -> Self {
        let code = |id: Option<StageId>| {
            stages.iter().find(|stage| Some(stage.id) == id).map(|stage| stage.code.clone())
        };
        Self {
            id: row.id,
            from: code(row.from_stage_id),
            to: code(row.to_stage_id),
            why: row.why,
            created_at: row.created_at,
        }
    }
}
