//! Operators' work on chapters.

use serde_json::json;

use super::dto::{ChapterChange, Chapters, NewChapter};
use super::model::{self, Chapter};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::http::ready::Ready;
use crate::membership::{areas, number_series, organisers};
use crate::types::id::{AreaId, ChapterId};
use crate::types::locale::Locale;
use crate::types::patch::Patch;

/// # Errors
/// `invalid_field`, `code_taken`, `unknown_area`
pub async fn create(app: &App, actor: Actor, new: &NewChapter) -> Result<Chapter> {
    let chapter = Chapter {
        id: ChapterId::new(),
        code: fields::slug("code", &new.code)?,
        name: fields::line("name", &new.name, 100)?,
        prefix: rules::prefix(&new.prefix)?,
        next_sequence: 1,
        is_default: false,
        created_at: app.clock.now(),
        version: 1,
        area_id: new.area,
        archived_at: None,
    };
    db::transaction(&app.pool, async |conn| {
        known_area(conn, chapter.area_id).await?;
        model::insert(conn, &chapter).await?;
        number_series::model::take_prefix(conn, &chapter.prefix, chapter.id).await?;
        record(conn, actor, "chapter.create", &chapter, app).await
    })
    .await?;
    Ok(chapter)
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `in_use`, `code_taken`, `unknown_area`
pub async fn change(
    app: &App,
    actor: Actor,
    id: ChapterId,
    seen: IfMatch,
    change: ChapterChange,
) -> Result<Chapter> {
    let name = fields::kept("name", change.name)?.map(|name| fields::line("name", &name, 100)).transpose()?;
    let prefix = fields::kept("prefix", change.prefix)?.map(|prefix| rules::prefix(&prefix)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let prefix = prefix.clone().unwrap_or_else(|| before.prefix.clone());
        if prefix != before.prefix {
            rules::may_change_prefix(before.next_sequence)?;
        }
        let name = name.clone().unwrap_or_else(|| before.name.clone());
        let area_id = match change.area {
            Patch::Absent => before.area_id,
            Patch::Null => None,
            Patch::Value(area) => Some(area),
        };
        known_area(conn, area_id).await?;
        let chapter = Chapter { name, prefix, area_id, version: before.version + 1, ..before };
        model::store(conn, &chapter).await?;
        record(conn, actor, "chapter.change", &chapter, app).await?;
        Ok(chapter)
    })
    .await
}

/// From now on it takes nobody in; its members stay, and keep their numbers. Twice does no more than once.
///
/// # Errors
/// `not_found`; `in_use` for the default chapter, in which everybody lands who chose none.
pub async fn archive(app: &App, actor: Actor, id: ChapterId) -> Result<Chapter> {
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        if before.is_default {
            return Err(Code::InUse.because("The default chapter takes in who chose none."));
        }
        let archived_at = Some(app.clock.now());
        let chapter = Chapter { archived_at, version: before.version + 1, ..before };
        model::store(conn, &chapter).await?;
        record(conn, actor, "chapter.archive", &chapter, app).await?;
        Ok(chapter)
    })
    .await
}

/// An archived chapter takes people in again.
///
/// # Errors
/// `not_found`
pub async fn reopen(app: &App, actor: Actor, id: ChapterId) -> Result<Chapter> {
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_none() {
            return Ok(before);
        }
        let chapter = Chapter { archived_at: None, version: before.version + 1, ..before };
        model::store(conn, &chapter).await?;
        record(conn, actor, "chapter.reopen", &chapter, app).await?;
        Ok(chapter)
    })
    .await
}

/// What everybody may see of chapters.
///
/// # Errors
/// The database's.
pub async fn shown(app: &App, locale: Locale) -> Result<Ready> {
    let mut conn = db::connect(&app.pool).await?;
    let areas = areas::model::all(&mut conn).await?;
    let organisers = organisers::model::public(&mut conn, app.clock.now()).await?;
    let chapters = model::live(&mut conn).await?;
    Ready::json(&Chapters::new(chapters, &areas, &organisers, locale))
}

async fn known_area(conn: &mut Conn, area: Option<AreaId>) -> Result<()> {
    match area {
        Some(id) => areas::model::find(conn, id).await?.map(|_| ()).ok_or_else(|| Code::UnknownArea.error()),
        None => Ok(()),
    }
}

async fn record(conn: &mut Conn, actor: Actor, action: &str, chapter: &Chapter, app: &App) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "chapter",
        subject_id: chapter.id.to_string(),
        reason: None,
        detail: json!({ "code": chapter.code, "prefix": chapter.prefix, "version": chapter.version }),
    };
    audit::record(conn, app.clock.now(), entry).await
}
