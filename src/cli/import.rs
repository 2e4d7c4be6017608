//! `kindred import-products`: see [`kindred::imports::command`].

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use kindred::config::Settings;
use kindred::db::{self, Statements};
use kindred::imports::command;
use kindred::imports::model::{ImportRow, ImportState, LineErrorRow};

use super::Outcome;
use super::database::on;

/// The bar and a summary go to standard error, an error a line to standard output.
pub async fn products(settings: &Settings, file: &Path, is_dry_run: bool) -> Outcome {
    let bar = ProgressBar::no_length()
        .with_style(ProgressStyle::with_template("{bar:40} {pos} of {len} lines, {per_sec}, {msg}")?);
    let progress = |row: &ImportRow| {
        bar.set_length(row.lines.unsigned_abs().into());
        bar.set_position(row.lines_done.unsigned_abs().into());
        bar.set_message(format!("{} wrong", row.lines_failed));
    };
    let done = on(settings, async |url| {
        db::migrate(&url).await?;
        Ok(command::run(
            &db::pool(&url, 2, Statements::Kept)?,
            file,
            is_dry_run,
            &settings.currency,
            &progress,
        )
        .await?)
    });
    let (row, errors) = done.await?;
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    for error in &errors {
        writeln!(out, "{}", told(error))?;
    }
    let (made, changed) = if is_dry_run { ("to make", "to change") } else { ("made", "changed") };
    writeln!(
        std::io::stderr(),
        "{} lines: {} {made}, {} {changed}, {} wrong",
        row.lines,
        row.created,
        row.changed,
        row.lines_failed
    )?;
    let is_good = row.state == ImportState::Done && row.lines_failed == 0;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(error: &LineErrorRow) -> String {
    let place = if error.column_name.is_empty() { String::new() } else { format!(", {}", error.column_name) };
    format!("line {}{place}: {} ({})", error.line, error.message, error.code)
}
