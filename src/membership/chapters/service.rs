//! Operators' work on chapters.

use serde_json::json;

use super::dto::{ChapterChange, NewChapter};
use super::model::{self, Chapter};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::types::id::ChapterId;

/// # Errors
/// `invalid_field`, `code_taken`
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
    };
    db::transaction(&app.pool, async |conn| {
        model::insert(conn, &chapter).await?;
        record(conn, actor, "chapter.create", &chapter, app).await
    })
    .await?;
    Ok(chapter)
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `in_use`, `code_taken`
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
        let chapter = Chapter { name, prefix, version: before.version + 1, ..before };
        model::store(conn, &chapter).await?;
        record(conn, actor, "chapter.change", &chapter, app).await?;
        Ok(chapter)
    })
    .await
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
