//! Commands on the database alone: it may be in use, and nothing else has to be set.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use kindred::config::Settings;
use kindred::db::attached::{Attached, attach};
use kindred::db::private::{self, Onto};
use kindred::db::{self, Statements};
use kindred::people::operators::command::{self, OperatorCommand};
use kindred::ports::clock::Clock;

use super::{Failure, Outcome};

/// Does `work` on the database and leaves it, whatever came of the work.
pub async fn on<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(String) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let database: Attached = attach(settings).await?;
    let done = work(database.url().to_owned()).await;
    database.leave().await;
    done
}

pub async fn migrate(settings: &Settings) -> Outcome {
    on(settings, async |url| Ok(db::migrate(&url).await?)).await?;
    Ok(ExitCode::SUCCESS)
}

pub async fn operator(settings: &Settings, command: OperatorCommand) -> Outcome {
    let said = on(settings, async |url| {
        db::migrate(&url).await?;
        Ok(command::run(command, &db::pool(&url, 2, Statements::Kept)?).await?)
    });
    writeln!(std::io::stdout(), "{}", said.await?)?;
    Ok(ExitCode::SUCCESS)
}

pub async fn check(settings: &Settings, json: bool) -> Outcome {
    let report = on(settings, async |url| {
        let mut conn = db::establish(&url).await?;
        Ok(kindred::check::run(&mut conn, &Clock::real()).await?)
    });
    let report = report.await?;
    let text = if json { serde_json::to_string(&report)? } else { report.to_string() };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub async fn backup(settings: &Settings, file: &Path) -> Outcome {
    on(settings, async |url| Ok(private::backup(&url, file).await?)).await?;
    Ok(ExitCode::SUCCESS)
}

/// A backup of an older version is brought up to date.
pub async fn restore(settings: &Settings, file: &Path, force: bool) -> Outcome {
    let onto = if force { Onto::Replace } else { Onto::Empty };
    on(settings, async |url| {
        private::restore(&url, file, onto).await?;
        Ok(db::migrate(&url).await?)
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}
