//! `kindred import-products`: the same import from a file on this machine.

use std::path::Path;

use super::model::{ImportRow, LineErrorRow};
use super::service::{self, NewImport};
use super::{ImportKind, cells, model};
use crate::audit::Actor;
use crate::db::{self, Pool};
use crate::error::{AppError, Code, Result};

/// Takes a file in and does it here and now, telling `progress` after each part. A running shop may help: each part is
/// done once. Cut off, a running shop, or the next one that starts, finishes it.
///
/// # Errors
/// What is wrong with the file as a whole, or the database's.
pub async fn run(
    pool: &Pool,
    file: &Path,
    is_dry_run: bool,
    currency: &str,
    progress: &(dyn Fn(&ImportRow) + Sync),
) -> Result<(ImportRow, Vec<LineErrorRow>)> {
    let bytes = tokio::fs::read(file)
        .await
        .map_err(|error| AppError::internal(format!("{} can't be read: {error}", file.display())))?;
    if bytes.len() > cells::BYTES_MAX {
        return Err(Code::BodyTooLarge.because(format!("Expected at most {} bytes.", cells::BYTES_MAX)));
    }
    let sheet = service::read(ImportKind::Products, bytes.into(), None).await?;
    let clock = db::shop_clock(pool).await?;
    let new = NewImport { kind: ImportKind::Products, sheet: &sheet, is_dry_run, actor: Actor::System };
    let (mut row, _) = service::accept(pool, new, clock.now()).await?;
    if is_dry_run {
        row = service::rehearse(pool, row.id, currency, clock.now(), progress).await?;
    }
    while !row.is_over() {
        row = service::step(pool, row.id, currency, clock.now()).await?;
        progress(&row);
    }
    let errors = model::errors(&mut *db::connect(pool).await?, row.id, 0, i64::from(row.lines)).await?;
    Ok((row, errors))
}
