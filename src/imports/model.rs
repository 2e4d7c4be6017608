//! Rows of imports, of the lines that are still to be done, and of the errors.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{Applied, ImportKind};
use crate::audit::Actor;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{import_errors, import_parts, imports};
use crate::types::id::{AccountId, ApiKeyId, ImportId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// How far an import has come.
    ImportState {
        Queued = "queued",
        Running = "running",
        /// Every line was looked at: entered, or told why not.
        Done = "done",
        /// It was given up; what it had entered stays.
        Failed = "failed",
    }
}

/// An import's row.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = imports)]
pub struct ImportRow {
    pub id: ImportId,
    pub kind: ImportKind,
    pub state: ImportState,
    pub is_dry_run: bool,
    /// Its columns, in their order.
    pub header: Vec<String>,
    pub lines: i32,
    pub lines_done: i32,
    pub lines_failed: i32,
    pub created: i32,
    pub changed: i32,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl ImportRow {
    pub fn is_over(&self) -> bool {
        self.finished_at.is_some()
    }

    /// Who handed the file in.
    pub fn actor(&self) -> Actor {
        match (self.actor_kind.as_str(), self.actor_id) {
            ("operator", Some(id)) => Actor::Operator(AccountId(id)),
            ("api_key", Some(id)) => Actor::ApiKey(ApiKeyId(id)),
            ("account", Some(id)) => Actor::Account(AccountId(id)),
            _ => Actor::System,
        }
    }
}

/// Why a line was not done.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = import_errors)]
pub struct LineErrorRow {
    pub import_id: ImportId,
    pub line: i32,
    pub column_name: String,
    pub code: String,
    pub message: String,
}

/// Lines of a part: (line of the file, cells).
pub type Lines = Vec<(i32, Vec<String>)>;

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, row: &ImportRow) -> Result<()> {
    diesel::insert_into(imports::table).values(row).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn insert_part(conn: &mut Conn, import: ImportId, number: i32, rows: &Value) -> Result<()> {
    let row =
        (import_parts::import_id.eq(import), import_parts::number.eq(number), import_parts::rows.eq(rows));
    diesel::insert_into(import_parts::table).values(row).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: ImportId) -> Result<Option<ImportRow>> {
    Ok(imports::table.find(id).select(ImportRow::as_select()).first(conn).await.optional()?)
}

/// Locks an import: who does its next part.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: ImportId) -> Result<Option<ImportRow>> {
    let query = imports::table.find(id).select(ImportRow::as_select()).for_no_key_update();
    Ok(query.first(conn).await.optional()?)
}

/// A page of imports of a kind, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, kind: ImportKind, page: Page) -> Result<Vec<ImportRow>> {
    Ok(imports::table
        .filter(imports::kind.eq(kind))
        .filter(imports::id.lt(ImportId(page.before)))
        .order(imports::id.desc())
        .limit(page.fetch())
        .select(ImportRow::as_select())
        .load(conn)
        .await?)
}

/// The first part from `number` on that is still to be done.
///
/// # Errors
/// The database's.
pub async fn next_part(conn: &mut Conn, import: ImportId, number: i32) -> Result<Option<(i32, Lines)>> {
    let part: Option<(i32, Value)> = import_parts::table
        .filter(import_parts::import_id.eq(import))
        .filter(import_parts::number.ge(number))
        .order(import_parts::number)
        .select((import_parts::number, import_parts::rows))
        .first(conn)
        .await
        .optional()?;
    part.map(|(number, rows)| Ok((number, serde_json::from_value(rows).map_err(AppError::internal)?)))
        .transpose()
}

/// Takes a part away: it is done.
///
/// # Errors
/// The database's.
pub async fn delete_part(conn: &mut Conn, import: ImportId, number: i32) -> Result<()> {
    diesel::delete(import_parts::table.find((import, number))).execute(conn).await?;
    Ok(())
}

/// Keeps the errors of a part; those of a line that has one stay as they are.
///
/// # Errors
/// The database's.
pub async fn insert_errors(conn: &mut Conn, import: ImportId, applied: &Applied) -> Result<()> {
    let row = |error: &super::LineError| LineErrorRow {
        import_id: import,
        line: error.line,
        column_name: error.column.clone(),
        code: error.code.as_str().to_owned(),
        message: error.message.clone(),
    };
    let rows: Vec<_> = applied.errors.iter().map(row).collect();
    diesel::insert_into(import_errors::table).values(rows).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

/// Writes how far a locked import has come.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, row: &ImportRow) -> Result<()> {
    diesel::update(imports::table.find(row.id))
        .set((
            imports::state.eq(row.state),
            imports::lines_done.eq(row.lines_done),
            imports::lines_failed.eq(row.lines_failed),
            imports::created.eq(row.created),
            imports::changed.eq(row.changed),
            imports::finished_at.eq(row.finished_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// What isn't to be done any more goes.
///
/// # Errors
/// The database's.
pub async fn delete_parts(conn: &mut Conn, import: ImportId) -> Result<()> {
    diesel::delete(import_parts::table.filter(import_parts::import_id.eq(import))).execute(conn).await?;
    Ok(())
}

/// Errors of later lines than `after`, in the order of the lines.
///
/// # Errors
/// The database's.
pub async fn errors(conn: &mut Conn, import: ImportId, after: i32, limit: i64) -> Result<Vec<LineErrorRow>> {
    Ok(import_errors::table
        .filter(import_errors::import_id.eq(import))
        .filter(import_errors::line.gt(after))
        .order(import_errors::line)
        .limit(limit)
        .select(LineErrorRow::as_select())
        .load(conn)
        .await?)
}
