//! Levels over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{ChangeRow, LevelSource};
use super::rules::{Drops, Level, LevelChangeKind, Levels, MemberRole};
use crate::loyalty::ladder::dto::OwnStage;
use crate::loyalty::metrics::rules::{Criteria, Progress};
use crate::membership::benefits::dto::OwnBenefit;
use crate::types::id::{LevelChangeId, LevelId};
use crate::types::locale::{Locale, Names};
use crate::types::patch::Patch;

/// A level as operators see it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminLevel)]
pub struct LevelView {
    pub id: LevelId,
    pub code: String,
    /// The higher the better.
    pub rank: i32,
    pub names: Names,
    /// Null: only operators and tiers give it.
    #[schema(value_type = Option<Object>)]
    pub enter: Option<Criteria>,
    /// Null: those to enter.
    #[schema(value_type = Option<Object>)]
    pub keep: Option<Criteria>,
    /// A period from the day on which it was reached.
    pub review: String,
    /// A mail tells what is missing so many days before a review; 0: none does.
    pub warn_days: i32,
    /// Who doesn't keep it is judged once more so many days later.
    pub grace_days: i32,
    pub drops: Drops,
    pub welcome_points: i64,
    pub role: Option<MemberRole>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl From<Level> for LevelView {
    fn from(level: Level) -> Self {
        Self {
            id: level.id,
            code: level.code,
            rank: level.rank,
            names: level.names,
            enter: level.enter,
            keep: level.keep,
            review: level.review.to_string(),
            warn_days: level.warn_days,
            grace_days: level.grace_days,
            drops: level.drops,
            welcome_points: level.welcome_points,
            role: level.role,
            created_at: level.created_at,
            archived_at: level.archived_at,
            version: level.version,
        }
    }
}

#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLevel {
    /// Small letters, digits, hyphens; never changes. Audiences name it: `{"who": "level", "at_least": "…"}`.
    #[schema(example = "gold")]
    pub code: String,
    /// From 1; the higher the better.
    pub rank: i32,
    pub names: Names,
    /// `{"metric", "amount", "window"?}`, or `all` or `any` of these. Metrics: `spend` (minor units), `level_points`, `orders`,
    /// `referrals`, `tenure` (days), `check_ins`; a window such as `P1Y` looks so far back. Null: only operators and tiers
    /// give it.
    #[schema(value_type = Option<Object>, example = json!({ "any": [
        { "metric": "spend", "amount": 500_000, "window": "P1Y" }, { "metric": "level_points", "amount": 5_000, "window": "P1Y" },
    ] }))]
    pub enter: Option<Value>,
    /// What is asked at a review; null: the same.
    #[schema(value_type = Option<Object>)]
    pub keep: Option<Value>,
    /// `P1Y` by default.
    pub review: Option<String>,
    /// 30 by default.
    pub warn_days: Option<i32>,
    /// 0 by default.
    pub grace_days: Option<i32>,
    /// `to_fit` by default.
    pub drops: Option<Drops>,
    #[serde(default)]
    pub welcome_points: i64,
    pub role: Option<MemberRole>,
}

/// What is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelChange {
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub rank: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub enter: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub keep: Patch<Value>,
    /// For reviews that are fixed from now on.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub review: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub warn_days: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub grace_days: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<Drops>)]
    pub drops: Patch<Drops>,
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub welcome_points: Patch<i64>,
    #[serde(default)]
    #[schema(value_type = Option<MemberRole>)]
    pub role: Patch<MemberRole>,
}

/// A level as everybody sees it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Level)]
pub struct PublicLevel {
    pub code: String,
    /// In the language of Accept-Language.
    pub name: String,
    pub names: Names,
    pub rank: i32,
    /// What has to be reached; null: it is given.
    #[schema(value_type = Option<Object>)]
    pub enter: Option<Criteria>,
    /// What is asked at a review.
    #[schema(value_type = Option<Object>)]
    pub keep: Option<Criteria>,
    pub review: String,
    pub welcome_points: i64,
}

impl PublicLevel {
    pub fn new(level: &Level, locale: Locale) -> Self {
        Self {
            code: level.code.clone(),
            name: level.names.pick(locale).to_owned(),
            names: level.names.clone(),
            rank: level.rank,
            enter: level.enter.clone(),
            keep: level.to_keep().cloned(),
            review: level.review.to_string(),
            welcome_points: level.welcome_points,
        }
    }
}

/// A level by its code and names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LevelName {
    pub code: String,
    pub name: String,
    pub names: Names,
}

impl LevelName {
    pub fn new(level: &Level, locale: Locale) -> Self {
        Self {
            code: level.code.clone(),
            name: level.names.pick(locale).to_owned(),
            names: level.names.clone(),
        }
    }
}

/// The next level, and what is missing for it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct NextLevel {
    #[serde(flatten)]
    pub level: LevelName,
    /// How its criteria hang together.
    #[schema(value_type = Object)]
    pub criteria: Criteria,
}

/// A level that somebody has, and whence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LevelGround {
    pub source: LevelSource,
    /// The level's code.
    pub level: String,
    /// Of what was earned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Exclusive; of what an operator gave for a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// What a review asks for.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct LevelReviewView {
    /// The level that was earned, which is reviewed.
    pub level: String,
    pub review_at: DateTime<Utc>,
    /// It wasn't kept at its review: `review_at` is the last chance.
    pub in_grace: bool,
    /// As it stands now, by what will still count on that day.
    pub would_keep: bool,
    pub progress: Vec<Progress>,
}

/// Somebody's level, explained.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OwnLevel)]
pub struct OwnLevelView {
    /// The highest of `why`; null: none.
    pub level: Option<LevelName>,
    /// What was counted for the next level.
    pub progress: Vec<Progress>,
    /// Null: there is none that can be earned.
    pub next: Option<NextLevel>,
    /// When what was earned is reviewed; null where nothing was.
    pub review_at: Option<DateTime<Utc>>,
    pub review: Option<LevelReviewView>,
    pub stage: Option<OwnStage>,
    /// Every level that he has, and whence, the highest first.
    pub why: Vec<LevelGround>,
    /// What the level lets him do in his chapter.
    pub role: Option<MemberRole>,
    /// What the level gives.
    pub benefits: Vec<OwnBenefit>,
}

/// A judgement, or what an operator did.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct LevelChangeView {
    pub id: LevelChangeId,
    pub kind: LevelChangeKind,
    /// Codes; null: none.
    pub from: Option<String>,
    pub to: Option<String>,
    /// The criteria, and what was counted for them.
    #[schema(value_type = Object)]
    pub why: Value,
    /// An operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// As of when it was counted.
    pub judged_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

impl LevelChangeView {
    pub fn new(row: ChangeRow, levels: &Levels) -> Self {
        let code = |id: Option<LevelId>| id.and_then(|id| levels.find(id)).map(|level| level.code.clone());
        Self {
            id: row.id,
            kind: row.kind,
            from: code(row.from_level_id),
            to: code(row.to_level_id),
            why: row.why,
            reason: row.reason,
            judged_at: row.judged_at,
            created_at: row.created_at,
        }
    }
}

/// A level for somebody, for a time.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualLevel {
    /// Its code.
    #[schema(example = "gold")]
    pub level: String,
    /// Exclusive; absent: until it is taken back.
    pub until: Option<DateTime<Utc>>,
    pub reason: String,
}

/// Why it is taken back.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualLevelEnd {
    pub reason: String,
}
