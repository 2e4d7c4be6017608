//! Areas over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::Area;
use crate::types::id::AreaId;
use crate::types::locale::{Locale, Names};
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewArea {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "henan")]
    pub code: String,
    pub names: Names,
    /// The area that it lies in.
    pub parent: Option<AreaId>,
}

/// What is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AreaChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    /// Null: it lies in none.
    #[serde(default)]
    #[schema(value_type = Option<AreaId>)]
    pub parent: Patch<AreaId>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminArea)]
pub struct AreaView {
    pub id: AreaId,
    pub code: String,
    pub names: Names,
    pub parent: Option<AreaId>,
    pub created_at: DateTime<Utc>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl From<Area> for AreaView {
    fn from(area: Area) -> Self {
        Self {
            id: area.id,
            code: area.code,
            names: Names { zh: area.name_zh, en: area.name_en },
            parent: area.parent_id,
            created_at: area.created_at,
            version: area.version,
        }
    }
}

/// An area with what lies in it, as everybody sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Area)]
pub struct AreaNode {
    pub code: String,
    pub name: String,
    pub names: Names,
    #[schema(no_recursion)]
    pub areas: Vec<AreaNode>,
}

/// The areas that lie in `parent` (none: the roots), each with those that lie in it.
pub fn tree(areas: &[Area], parent: Option<AreaId>, locale: Locale) -> Vec<AreaNode> {
    let inside = areas.iter().filter(|area| area.parent_id == parent);
    let node = |area: &Area| {
        let names = Names { zh: area.name_zh.clone(), en: area.name_en.clone() };
        AreaNode {
            code: area.code.clone(),
            name: names.pick(locale).to_owned(),
            names,
            areas: tree(areas, Some(area.id), locale),
        }
    };
    inside.map(node).collect()
}
