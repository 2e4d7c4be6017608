//! The command line of kindred.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kindred::app::Application;
use kindred::config::Settings;
use kindred::db::private;
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
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    init_logs();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
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

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
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
            let (url, cluster) = database(&settings).await?;
            let said = run_operator(operator, &url).await;
            if let Some(cluster) = cluster {
                cluster.stop().await;
            }
            writeln!(std::io::stdout(), "{}", said?)?;
        }
        Command::Migrate => {
            let url = settings.database_url.as_ref().ok_or("DATABASE_URL is not set")?;
            kindred::db::migrate(secrecy::ExposeSecret::expose_secret(url)).await?;
        }
    }
    Ok(())
}

async fn run_operator(operator: OperatorCommand, url: &str) -> Result<String, Box<dyn std::error::Error>> {
    kindred::db::migrate(url).await?;
    Ok(command::run(operator, &kindred::db::pool(url, 2)?).await?)
}

/// The database's URL: the one that is set, or that of the private PostgreSQL, which is attached to or started, and to be
/// stopped by who called this.
async fn database(
    settings: &Settings,
) -> Result<(String, Option<private::Cluster>), Box<dyn std::error::Error>> {
    if let Some(url) = &settings.database_url {
        return Ok((secrecy::ExposeSecret::expose_secret(url).to_owned(), None));
    }
    let cluster = private::open(&settings.data_dir, private::Options::default()).await?;
    Ok((cluster.url(), Some(cluster)))
}
