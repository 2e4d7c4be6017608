//! Operators' work on areas. All of them are locked where one is put somewhere, so that two moves at once make no cycle.

use serde_json::json;

use super::dto::{AreaChange, NewArea};
use super::model::{self, Area};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::types::id::AreaId;
use crate::types::patch::Patch;

/// # Errors
/// `invalid_field`, `code_taken`, `unknown_area`, `area_too_deep`
pub async fn create(app: &App, actor: Actor, new: &NewArea) -> Result<Area> {
    let names = fields::names("names", &new.names)?;
    let area = Area {
        id: AreaId::new(),
        code: fields::slug("code", &new.code)?,
        name_zh: names.zh,
        name_en: names.en,
        parent_id: new.parent,
        created_at: app.clock.now(),
        version: 1,
    };
    db::transaction(&app.pool, async |conn| {
        let areas = model::lock_all(conn).await?;
        rules::may_lie(&areas, area.id, area.parent_id)?;
        model::insert(conn, &area).await?;
        record(conn, actor, "area.create", &area, app).await
    })
    .await?;
    Ok(area)
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `unknown_area`, `area_cycle`, `area_too_deep`
pub async fn change(app: &App, actor: Actor, id: AreaId, seen: IfMatch, change: AreaChange) -> Result<Area> {
    let names = fields::kept("names", change.names)?;
    let names = names.map(|names| fields::names("names", &names)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let areas = model::lock_all(conn).await?;
        let mut area = areas.iter().find(|area| area.id == id).ok_or(Code::NotFound)?.clone();
        seen.check(area.version)?;
        if let Some(names) = names.clone() {
            (area.name_zh, area.name_en) = (names.zh, names.en);
        }
        area.parent_id = match change.parent {
            Patch::Absent => area.parent_id,
            Patch::Null => None,
            Patch::Value(parent) => Some(parent),
        };
        rules::may_lie(&areas, id, area.parent_id)?;
        area.version += 1;
        model::store(conn, &area).await?;
        record(conn, actor, "area.change", &area, app).await?;
        Ok(area)
    })
    .await
}

/// Deletes an area in which nothing lies.
///
/// # Errors
/// `not_found`, `in_use`
pub async fn delete(app: &App, actor: Actor, id: AreaId) -> Result<()> {
    db::transaction(&app.pool, async |conn| {
        let areas = model::lock_all(conn).await?;
        let area = areas.iter().find(|area| area.id == id).ok_or(Code::NotFound)?;
        let has_areas = areas.iter().any(|area| area.parent_id == Some(id));
        if has_areas || model::has_chapters(conn, id).await? {
            return Err(Code::InUse.because("Other areas or chapters lie in it."));
        }
        model::delete(conn, id).await?;
        record(conn, actor, "area.delete", area, app).await
    })
    .await
}

async fn record(conn: &mut Conn, actor: Actor, action: &str, area: &Area, app: &App) -> Result<()> {
    let parent = area.parent_id.map(|parent| parent.to_string());
    let entry = Entry {
        actor,
        action,
        subject_kind: "area",
        subject_id: area.id.to_string(),
        reason: None,
        detail: json!({ "code": area.code, "parent": parent, "version": area.version }),
    };
    audit::record(conn, app.clock.now(), entry).await
}
