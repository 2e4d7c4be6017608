//! Chapters over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::Chapter;
use crate::membership::areas::dto::{AreaNode, tree};
use crate::membership::areas::model::Area;
use crate::types::id::{AreaId, ChapterId};
use crate::types::locale::Locale;
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
    /// Where it lies.
    pub area: Option<AreaId>,
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
    /// Null: it lies in none.
    #[serde(default)]
    #[schema(value_type = Option<AreaId>)]
    pub area: Patch<AreaId>,
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
    pub area: Option<AreaId>,
    pub created_at: DateTime<Utc>,
    /// It takes nobody in any more.
    pub archived_at: Option<DateTime<Utc>>,
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
            area: chapter.area_id,
            created_at: chapter.created_at,
            archived_at: chapter.archived_at,
            version: chapter.version,
        }
    }
}

/// The chapters that take people in, and the areas in which they lie.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Chapters {
    pub data: Vec<PublicChapter>,
    /// The whole tree, from the roots.
    pub areas: Vec<AreaNode>,
}

/// A chapter as everybody sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Chapter)]
pub struct PublicChapter {
    pub code: String,
    pub name: String,
    /// Leads the numbers of those who become members here.
    pub prefix: String,
    /// Who chooses none joins this one.
    pub is_default: bool,
    /// The code of the area.
    pub area: Option<String>,
    /// The organisers who want to be known, by the name that they gave.
    pub organisers: Vec<String>,
}

impl Chapters {
    /// `organisers`: (chapter, name).
    pub fn new(
        chapters: Vec<Chapter>,
        areas: &[Area],
        organisers: &[(ChapterId, String)],
        locale: Locale,
    ) -> Self {
        let view = |chapter: Chapter| PublicChapter {
            area: areas.iter().find(|area| Some(area.id) == chapter.area_id).map(|area| area.code.clone()),
            organisers: organisers
                .iter()
                .filter(|(of, _)| *of == chapter.id)
                .map(|(_, name)| name.clone())
                .collect(),
            code: chapter.code,
            name: chapter.name,
            prefix: chapter.prefix,
            is_default: chapter.is_default,
        };
        Self { data: chapters.into_iter().map(view).collect(), areas: tree(areas, None, locale) }
    }
}
