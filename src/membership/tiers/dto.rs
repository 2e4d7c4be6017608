//! Tiers over the wire, for operators. What everybody sees is in `catalog/dto.rs`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::Tier;
use crate::types::id::{LevelId, TierId};
use crate::types::locale::Names;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTier {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "diehard")]
    pub code: String,
    pub names: Names,
    /// The higher the better.
    pub rank: i32,
    /// Of what tier the associates of its members are; none: of this one.
    pub associate_tier: Option<TierId>,
    /// On which level its members stand at least.
    pub floor_level: Option<LevelId>,
}

/// What is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TierChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub rank: Patch<i32>,
    /// Null: of this one.
    #[serde(default)]
    #[schema(value_type = Option<TierId>)]
    pub associate_tier: Patch<TierId>,
    #[serde(default)]
    #[schema(value_type = Option<LevelId>)]
    pub floor_level: Patch<LevelId>,
}

/// A tier as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminTier)]
pub struct TierView {
    pub id: TierId,
    pub code: String,
    pub names: Names,
    pub rank: i32,
    /// Of what tier the associates of its members are; null: of this one.
    pub associate_tier: Option<TierId>,
    /// On which level its members stand at least; null: on none.
    pub floor_level: Option<LevelId>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl From<Tier> for TierView {
    fn from(tier: Tier) -> Self {
        Self {
            id: tier.id,
            code: tier.code,
            names: tier.names,
            rank: tier.rank,
            associate_tier: tier.associate_tier,
            floor_level: tier.floor_level,
            created_at: tier.created_at,
            archived_at: tier.archived_at,
            version: tier.version,
        }
    }
}
