//! Taking files in, and doing them part by part.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{json, to_value};
use tokio::time::Instant;

use super::cells::{self, Sheet};
use super::dto::ErrorsQuery;
use super::model::{self, ImportRow, ImportState, LineErrorRow, Lines};
use super::{Applied, Batch, ImportKind, Memory, Row};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn, Pool};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::jobs::{self, Job, Outcome};
use crate::types::id::{ImportId, JobId};

/// Lines of one transaction.
pub const PART_LINES: usize = 500;
/// A run of the job ends then at the next part's end, well before its time is up, and another one goes on.
const RUN: Duration = Duration::from_secs(45);

/// Reads a file off the workers' threads: it may be large.
///
/// # Errors
/// `csv_encoding`, `csv_columns`, `csv_too_long`, `csv_empty`.
pub async fn read(kind: ImportKind, bytes: bytes::Bytes, charset: Option<String>) -> Result<Sheet> {
    let work = move || cells::read(&bytes, charset.as_deref(), kind.columns());
    tokio::task::spawn_blocking(work).await.map_err(AppError::internal)?
}

/// A file to take in.
#[derive(Clone, Copy, Debug)]
pub struct NewImport<'a> {
    pub kind: ImportKind,
    pub sheet: &'a Sheet,
    pub is_dry_run: bool,
    pub actor: Actor,
}

/// Takes a file in: it is done by the job that is queued with it.
///
/// # Errors
/// The database's.
pub async fn accept(pool: &Pool, new: NewImport<'_>, now: DateTime<Utc>) -> Result<(ImportRow, JobId)> {
    let row = ImportRow {
        id: ImportId::new(),
        kind: new.kind,
        state: ImportState::Queued,
        is_dry_run: new.is_dry_run,
        header: new.sheet.columns.clone(),
        lines: i32::try_from(new.sheet.rows.len()).map_err(AppError::internal)?,
        lines_done: 0,
        lines_failed: 0,
        created: 0,
        changed: 0,
        actor_kind: new.actor.kind().to_owned(),
        actor_id: new.actor.id(),
        created_at: now,
        finished_at: None,
    };
    let job = db::transaction(pool, async |conn| {
        model::insert(conn, &row).await?;
        for (number, part) in (0..).zip(new.sheet.rows.chunks(PART_LINES)) {
            model::insert_part(conn, row.id, number, &to_value(part).map_err(AppError::internal)?).await?;
        }
        if !row.is_dry_run {
            audit::record(conn, now, entry(&row, "import.create", json!({ "lines": row.lines }))).await?;
        }
        jobs::enqueue(conn, &Job::RunImport { import: row.id }, now, now).await
    })
    .await?;
    Ok((row, job))
}

fn entry<'a>(row: &ImportRow, action: &'a str, detail: serde_json::Value) -> Entry<'a> {
    Entry {
        actor: row.actor(),
        action,
        subject_kind: "import",
        subject_id: row.id.to_string(),
        reason: None,
        detail: json!({ "kind": row.kind.as_str(), "more": detail }),
    }
}

/// An import of a kind with the errors that are asked for.
///
/// # Errors
/// `not_found`, `invalid_field`.
pub async fn show(
    app: &App,
    kind: ImportKind,
    id: ImportId,
    query: ErrorsQuery,
) -> Result<(ImportRow, Vec<LineErrorRow>)> {
    let limit = fields::within("limit", query.limit.unwrap_or(100), 1, 1_000)?;
    let mut conn = db::connect(&app.pool).await?;
    let row = model::find(&mut conn, id).await?.filter(|row| row.kind == kind).ok_or(Code::NotFound)?;
    let errors = model::errors(&mut conn, id, query.after_line, limit).await?;
    Ok((row, errors))
}

/// The job [`Job::RunImport`].
///
/// # Errors
/// The database's: the part that failed is tried again.
pub async fn run(app: &App, id: ImportId) -> Result<Outcome> {
    let currency = &app.settings.currency;
    let Some(row) = model::find(&mut *db::connect(&app.pool).await?, id).await? else {
        return Ok(Outcome::Done);
    };
    if row.is_dry_run {
        rehearse(&app.pool, id, currency, app.clock.now(), &|_| ()).await?;
        return Ok(Outcome::Done);
    }
    let until = Instant::now() + RUN;
    while !step(&app.pool, id, currency, app.clock.now()).await?.is_over() {
        if Instant::now() > until {
            return Ok(Outcome::Again(app.clock.now()));
        }
    }
    Ok(Outcome::Done)
}

/// Does the next part of an import in one transaction, and tells how far it has come. Whoever else does it waits.
///
/// # Errors
/// `not_found`; the database's.
pub async fn step(pool: &Pool, id: ImportId, currency: &str, now: DateTime<Utc>) -> Result<ImportRow> {
    db::transaction(pool, async |conn| {
        let mut row = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if row.is_over() {
            return Ok(row);
        }
        if let Some((number, lines)) = model::next_part(conn, id, 0).await? {
            let (whole, broken) = rows_of(&row, &lines);
            let batch = Batch { rows: &whole, actor: row.actor(), currency, now };
            let applied = super::apply(conn, row.kind, batch).await?;
            let applied = merged(applied, broken);
            model::insert_errors(conn, id, &applied).await?;
            row = counted(row, lines.len(), &applied)?;
            model::delete_part(conn, id, number).await?;
        }
        row.state = ImportState::Running;
        if row.lines_done == row.lines {
            finish(&mut row, ImportState::Done, now);
            let detail =
                json!({ "created": row.created, "changed": row.changed, "failed": row.lines_failed });
            audit::record(conn, now, entry(&row, "import.done", detail)).await?;
        }
        model::store(conn, &row).await?;
        Ok(row)
    })
    .await
}

/// Looks at all parts of a dry run, one after another, remembering what the earlier ones would have made. Killed, it
/// begins again: there is nothing that it could have done twice.
///
/// # Errors
/// `not_found`; the database's.
pub async fn rehearse(
    pool: &Pool,
    id: ImportId,
    currency: &str,
    now: DateTime<Utc>,
    progress: &(dyn Fn(&ImportRow) + Sync),
) -> Result<ImportRow> {
    let mut conn = db::connect(pool).await?;
    let mut row = model::find(&mut conn, id).await?.ok_or(Code::NotFound)?;
    if row.is_over() {
        return Ok(row);
    }
    row = ImportRow { lines_done: 0, lines_failed: 0, created: 0, changed: 0, ..row };
    let (mut memory, mut number) = (Memory::default(), 0);
    while let Some((at, lines)) = model::next_part(&mut conn, id, number).await? {
        let (whole, broken) = rows_of(&row, &lines);
        let batch = Batch { rows: &whole, actor: row.actor(), currency, now };
        let applied = super::rehearse(&mut conn, row.kind, batch, &mut memory).await?;
        let told = merged(applied, broken);
        let next = counted(ImportRow { state: ImportState::Running, ..row.clone() }, lines.len(), &told)?;
        row = db::transaction_on(&mut conn, async |conn| keep(conn, &next, &told).await).await?;
        if row.is_over() {
            return Ok(row);
        }
        progress(&row);
        number = at + 1;
    }
    db::transaction_on(&mut conn, async |conn| {
        let mut done = row.clone();
        finish(&mut done, ImportState::Done, now);
        let done = keep(conn, &done, &Applied::default()).await?;
        model::delete_parts(conn, id).await?;
        Ok(done)
    })
    .await
}

/// Writes how far a dry run has come, unless somebody else has ended it meanwhile: then it is as that one left it.
async fn keep(conn: &mut Conn, next: &ImportRow, told: &Applied) -> Result<ImportRow> {
    let row = model::lock(conn, next.id).await?.ok_or(Code::NotFound)?;
    if row.is_over() {
        return Ok(row);
    }
    model::insert_errors(conn, next.id, told).await?;
    model::store(conn, next).await?;
    Ok(next.clone())
}

/// Lines with a cell a column, and the others.
fn rows_of<'a>(import: &'a ImportRow, lines: &'a Lines) -> (Vec<Row<'a>>, Vec<Row<'a>>) {
    let row = |(line, cells): &'a (i32, Vec<String>)| Row { line: *line, columns: &import.header, cells };
    lines.iter().map(row).partition(|row| row.cells.len() == row.columns.len())
}

/// What was found and what could not even be looked at, in the order of the lines.
fn merged(mut applied: Applied, broken: Vec<Row<'_>>) -> Applied {
    applied.errors.extend(broken.iter().map(|row| {
        let message = format!("expected {} cells, found {}", row.columns.len(), row.cells.len());
        row.error("", Code::CsvColumns, message)
    }));
    applied.errors.sort_by_key(|error| error.line);
    applied
}

/// The import with a part more that is done.
fn counted(row: ImportRow, lines: usize, applied: &Applied) -> Result<ImportRow> {
    Ok(ImportRow {
        lines_done: row.lines_done + i32::try_from(lines).map_err(AppError::internal)?,
        lines_failed: row.lines_failed + i32::try_from(applied.errors.len()).map_err(AppError::internal)?,
        created: row.created + applied.created,
        changed: row.changed + applied.changed,
        ..row
    })
}

fn finish(row: &mut ImportRow, state: ImportState, now: DateTime<Utc>) {
    row.state = state;
    row.finished_at = Some(now);
}

/// The job was given up: what is still to be done will not be.
///
/// # Errors
/// The database's.
pub async fn give_up(conn: &mut Conn, id: ImportId, now: DateTime<Utc>) -> Result<()> {
    let Some(mut row) = model::lock(conn, id).await?.filter(|row| !row.is_over()) else { return Ok(()) };
    finish(&mut row, ImportState::Failed, now);
    model::store(conn, &row).await
}

/// The job is to be tried again: it goes on where it stopped.
///
/// # Errors
/// The database's.
pub async fn take_up(conn: &mut Conn, id: ImportId) -> Result<()> {
    let Some(mut row) = model::lock(conn, id).await?.filter(|row| row.state == ImportState::Failed) else {
        return Ok(());
    };
    (row.state, row.finished_at) = (ImportState::Queued, None);
    model::store(conn, &row).await
}
