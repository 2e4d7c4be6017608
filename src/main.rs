//! The command line of kindred.

mod cli;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kindred::config::{Settings, Source};
use kindred::dev::{bench, capacity, rehearse};
use kindred::people::operators::command::OperatorCommand;
use kindred::promotion::command::CouponsCommand;

use cli::{Logs, Outcome, database};

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
    /// Runs a shop with demo data, a simulator in Stripe's place and an inbox for its mails, for this machine alone.
    Demo,
    /// Prints the OpenAPI document.
    Openapi,
    /// Rehearses a sale on a throw-away database, with thousands of buyers; fails unless everything was sold, once.
    Rehearse(rehearse::Options),
    /// Measures, on a throw-away database, how close this program is to what the machine allows.
    Bench(bench::Options),
    /// Makes the shops with many members in which the bench measures what becomes slower as a shop grows.
    BenchData(bench::Options),
    /// Tells what a planned sale needs of instances, database and Stripe, and what runs short next.
    Capacity(capacity::Options),
    /// An instance under rehearsal.
    #[command(hide = true)]
    RehearsalInstance,
    #[command(flatten)]
    Database(DatabaseCommand),
}

/// Commands that need the database and no other setting.
#[derive(Subcommand)]
enum DatabaseCommand {
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
    /// Enters a CSV file of products into the catalog: what is there is changed, what isn't is made. Tells each line that is
    /// wrong, and fails where one is. docs/CATALOG-CSV.md says what the columns hold.
    ImportProducts {
        file: PathBuf,
        /// Tells what would be wrong, and changes nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Makes coupon campaigns and codes, gives them, revokes them, and tells what they came to.
    #[command(subcommand)]
    Coupons(CouponsCommand),
    /// Writes all that the database holds into a file, at any time.
    Backup { file: PathBuf },
    /// Reads a backup into an empty database.
    Restore {
        file: PathBuf,
        /// Replace all that the database holds.
        #[arg(long)]
        force: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            cli::complain(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Outcome {
    // These need no settings: a build without any answers.
    match &arguments.command {
        Command::Openapi => {
            std::io::stdout().write_all(kindred::http::openapi::text().as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Capacity(options) => {
            let answer = capacity::answer(options)?;
            let text = if options.json { serde_json::to_string(&answer)? } else { answer.to_string() };
            writeln!(std::io::stdout(), "{text}")?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let source = Source::load(arguments.config.as_deref())?;
    match arguments.command {
        Command::Serve => {
            cli::init_logs(&source, Logs::Json);
            cli::serve::run(source.settings()?).await
        }
        Command::Demo => {
            cli::init_logs(&source, Logs::Human("warn,kindred=info,kindred::access=warn"));
            cli::demo::run(source).await
        }
        Command::Database(command) => {
            cli::init_logs(&source, Logs::Human("warn"));
            on_database(command, &source.database_only().settings()?).await
        }
        Command::Openapi | Command::Capacity(_) => Ok(ExitCode::SUCCESS),
        Command::Rehearse(options) => {
            cli::init_logs(&source, Logs::Human("warn"));
            let report = rehearse::run(&options).await?;
            let text = if options.json { serde_json::to_string(&report)? } else { report.to_string() };
            writeln!(std::io::stdout(), "{text}")?;
            Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Bench(options) => {
            cli::init_logs(&source, Logs::Human("warn"));
            let report = bench::run(&options).await?;
            let text = if options.json { serde_json::to_string(&report)? } else { report.to_string() };
            writeln!(std::io::stdout(), "{text}")?;
            Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::BenchData(options) => {
            cli::init_logs(&source, Logs::Human("warn"));
            bench::make_data(&options).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::RehearsalInstance => {
            cli::init_logs(&source, Logs::Json);
            rehearse::instance::serve(source.settings()?).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn on_database(command: DatabaseCommand, settings: &Settings) -> Outcome {
    match command {
        DatabaseCommand::Migrate => database::migrate(settings).await,
        DatabaseCommand::Operator(command) => database::operator(settings, command).await,
        DatabaseCommand::Check { json } => database::check(settings, json).await,
        DatabaseCommand::ImportProducts { file, dry_run } => {
            cli::import::products(settings, &file, dry_run).await
        }
        DatabaseCommand::Coupons(command) => cli::coupons::run(settings, command).await,
        DatabaseCommand::Backup { file } => database::backup(settings, &file).await,
        DatabaseCommand::Restore { file, force } => database::restore(settings, &file, force).await,
    }
}
