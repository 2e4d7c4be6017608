//! `kindred demo`: see [`kindred::dev::demo`].

use std::io::Write;
use std::process::ExitCode;

use kindred::config::Source;
use kindred::dev::demo;

use super::{Outcome, Signals, serve_until};

pub async fn run(source: Source) -> Outcome {
    let mut signals = Signals::listen()?;
    let demo = demo::start(source).await?;
    let url = demo.url.clone();
    let (application, leftovers) = demo.split();
    // The listener takes connections already; they are answered as soon as the server runs, which is now.
    // Who started it may have closed its output: the page is there all the same.
    let _ = writeln!(std::io::stdout(), "ready: {url}");
    let served = serve_until(application, &mut signals).await;
    leftovers.end().await;
    served?;
    Ok(ExitCode::SUCCESS)
}
