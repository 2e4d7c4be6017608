//! The command line of kindred.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kindred::app::Application;
use kindred::config::Settings;
use kindred::db::attached::attach;
use kindred::people::operators::command::{self, OperatorCommand};
use kindred::ports::clock::Clock;

#[derive(Parser)]
#[command(name = "kindred", version, about = "The backend of a membership shop")]
struct Arguments {
    /// A TOML file with settings; the environment wins over it.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the shop's backend.
    Serve,
    /// Brings the database up to date and ends.
    Migrate,
    /// Makes operators.
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Recomputes every invariant from the rows, in one snapshot; fails where one is broken. It changes nothing and may
    /// run at any time.
    Check {
        /// Prints the report as one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    init_logs();
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn init_logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("KINDRED_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
}

async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let settings = Settings::load(arguments.config.as_deref())?;
    match arguments.command {
        Command::Serve => {
            let application = Application::build(settings, Clock::real()).await?;
            let stop = application.stop_handle();
            tokio::spawn(async move {
                if tokio::signal::ctrl_c().await.is_ok() {
                    stop.stop().await;
                }
            });
            application.run().await?;
        }
        Command::Operator(operator) => {
            let database = attach(&settings).await?;
            let said = run_operator(operator, database.url()).await;
            database.leave().await;
            writeln!(std::io::stdout(), "{}", said?)?;
        }
        Command::Migrate => {
            let database = attach(&settings).await?;
            let done = kindred::db::migrate(database.url()).await;
            database.leave().await;
            done?;
        }
        Command::Check { json } => return check(&settings, json).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(settings: &Settings, json: bool) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let database = attach(settings).await?;
    let report = match database.connect().await {
        Ok(mut conn) => kindred::check::run(&mut conn, &Clock::real()).await,
        Err(error) => Err(error),
    };
    database.leave().await;
    let report = report?;
    let text = if json { serde_json::to_string(&report)? } else { report.to_string() };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run_operator(operator: OperatorCommand, url: &str) -> Result<String, Box<dyn std::error::Error>> {
    kindred::db::migrate(url).await?;
    Ok(command::run(operator, &kindred::db::pool(url, 2)?).await?)
}
