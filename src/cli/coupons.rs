//! `kindred coupons`: see [`kindred::promotion::command`].

use std::io::Write as _;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use kindred::config::Settings;
use kindred::db::{self, Statements};
use kindred::promotion::command::{self, CouponsCommand};

use super::Outcome;
use super::database::on;

/// The bar goes to standard error, and what came of it too: standard output is for codes.
pub async fn run(settings: &Settings, command: CouponsCommand) -> Outcome {
    let bar = ProgressBar::no_length()
        .with_style(ProgressStyle::with_template("{bar:40} {pos} of {len}, {per_sec}")?);
    let progress = |done: i64, of: i64| {
        bar.set_length(of.unsigned_abs());
        bar.set_position(done.unsigned_abs());
    };
    let said = on(settings, async |url| {
        db::migrate(&url).await?;
        Ok(command::run(command, &db::pool(&url, 2, Statements::Kept)?, &settings.currency, &progress)
            .await?)
    });
    let said = said.await?;
    bar.finish_and_clear();
    writeln!(std::io::stderr(), "{said}")?;
    Ok(ExitCode::SUCCESS)
}
