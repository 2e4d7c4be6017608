//! `kindred serve`: the shop for real.

use std::process::ExitCode;

use kindred::app::Application;
use kindred::config::{DatabaseSettings, Settings};
use kindred::db::private::{self, DataFolderLock, Options};
use kindred::error::AppError;
use kindred::ports::clock::Clock;

use super::{Outcome, Signals, serve_until};

pub async fn run(settings: Settings) -> Outcome {
    let mut signals = Signals::listen()?;
    if settings.stripe.is_none() {
        tracing::warn!("STRIPE_SECRET_KEY is not set: only orders of which nothing is due can be placed");
    }
    if settings.database.url.is_some() {
        serve(settings, &mut signals).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let _alone = DataFolderLock::take(&settings.data_dir)?;
    let cluster = private::open(&settings.data_dir, Options::default()).await?;
    let supervisor = cluster.supervise();
    let database = DatabaseSettings { url: Some(cluster.url().into()), ..settings.database };
    let settings = Settings { database, ..settings };
    let served = serve(settings, &mut signals).await;
    drop(supervisor);
    cluster.stop().await;
    served?;
    Ok(ExitCode::SUCCESS)
}

/// Builds and serves; a signal that comes while it builds ends it too.
async fn serve(settings: Settings, signals: &mut Signals) -> Result<(), AppError> {
    let application = tokio::select! {
        built = Application::build(settings, Clock::real()) => built?,
        () = signals.next() => return Ok(()),
    };
    tracing::info!(address = %application.address, "listening");
    serve_until(application, signals).await
}
