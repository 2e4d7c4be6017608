//! What the commands share: logs, signals, and how an error looks at a terminal.

pub mod coupons;
pub mod database;
pub mod demo;
pub mod import;
pub mod serve;

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use kindred::app::Application;
use kindred::config::Source;
use kindred::error::{AppError, Code};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Why a command couldn't do its work.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How a command ended.
pub type Outcome = Result<ExitCode, Failure>;

/// Who reads the logs.
#[derive(Clone, Copy)]
pub enum Logs {
    /// A machine: a JSON object a line.
    Json,
    /// A person, with what is shown unless KINDRED_LOG says otherwise.
    Human(&'static str),
}

/// Logs go to standard error; standard output is for what a command answers.
pub fn init_logs(source: &Source, logs: Logs) {
    let default = match logs {
        Logs::Json => "info",
        Logs::Human(filter) => filter,
    };
    let given = source.get("KINDRED_LOG").and_then(|text| EnvFilter::try_new(text).ok());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(given.unwrap_or_else(|| EnvFilter::new(default)))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match logs {
        Logs::Json => builder.json().init(),
        Logs::Human(_) => builder.compact().with_target(false).init(),
    }
}

/// Says on standard error why a command failed.
pub fn complain(error: &(dyn Error + 'static)) {
    // There is nobody left to tell when this fails.
    let _ = writeln!(std::io::stderr(), "kindred: {}", one_line(error));
}

/// An error as one line. What the API hides behind `internal` is what the person at the terminal has to know.
fn one_line(error: &(dyn Error + 'static)) -> String {
    let text = match error.downcast_ref::<AppError>() {
        Some(error) if error.code == Code::Internal => {
            error.cause().map_or_else(|| error.detail.to_string(), ToString::to_string)
        }
        _ => error.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// SIGINT, SIGTERM and SIGHUP (a closed terminal), from the moment this is made: none ends the process by itself any more.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Serves until the first signal, then lets what runs finish. A second signal doesn't wait for that: what is lost by it
/// is what a crash would lose, nothing.
pub async fn serve_until(application: Application, signals: &mut Signals) -> Result<(), AppError> {
    let stop = application.stop_handle();
    let mut running = std::pin::pin!(application.run());
    tokio::select! {
        ended = &mut running => return ended,
        () = signals.next() => {}
    }
    tracing::info!("stopping");
    let stopping = tokio::spawn(async move { stop.stop().await });
    tokio::select! {
        ended = &mut running => ended,
        () = signals.next() => {
            stopping.abort();
            Ok(())
        }
    }
}
