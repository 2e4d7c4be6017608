//! Chapters over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::Chapter;
use crate::types::id::ChapterId;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChapter {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "zhengzhou")]
    pub code: String,
    #[schema(example = "郑州罗友会")]
    pub name: String,
    /// 1 to 6 capital letters.
    #[schema(example = "ZY")]
    pub prefix: String,
}

/// What is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChapterChange {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// Only while no member has a number of this chapter.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub prefix: Patch<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminChapter)]
pub struct ChapterView {
    pub id: ChapterId,
    pub code: String,
    pub name: String,
    pub prefix: String,
    /// The next member's.
    pub next_sequence: i64,
    pub is_default: bool,
    pub created_at: DateTime<Utc>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl From<Chapter> for ChapterView {
    fn from(chapter: Chapter) -> Self {
        Self {
            id: chapter.id,
            code: chapter.code,
            name: chapter.name,
            prefix: chapter.prefix,
            next_sequence: chapter.next_sequence,
            is_default: chapter.is_default,
            created_at: chapter.created_at,
            version: chapter.version,
        }
    }
}
