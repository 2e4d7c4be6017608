//! The program under test, as the rehearsal runs it: `serve` with three differences. Its passwords cost next to nothing,
//! since 20,000 people sign in within minutes on two cores that also carry them all; it sees sooner that the shop's clock was
//! moved, which rehearsals do by the day; and it ends when the rehearsal does.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::{RehearsalError, SECRET_KEY, impossible};
use crate::app::{App, Application};
use crate::config::{PasswordSettings, Settings};
use crate::ports::clock::Clock;
use crate::{db, jobs};

/// Serves until standard input ends, which it does with the rehearsal.
///
/// # Errors
/// When the settings aren't a rehearsal's, or as [`Application::build`].
pub async fn serve(mut settings: Settings) -> Result<(), RehearsalError> {
    use secrecy::ExposeSecret;
    let key = settings.stripe.as_ref().map(|stripe| stripe.secret_key.expose_secret());
    if key != Some(SECRET_KEY) {
        return Err(impossible("`kindred rehearse` starts this; it is not for a shop"));
    }
    settings.passwords = PasswordSettings::lowest();
    let application = Application::build(settings, Clock::real()).await?;
    tokio::spawn(follow_clock(Arc::clone(&application.app)));
    let stop = application.stop_handle();
    tokio::spawn(async move {
        let mut rest = Vec::new();
        // An error ends it as well.
        let _ = tokio::io::stdin().read_to_end(&mut rest).await;
        stop.stop().await;
    });
    application.run().await?;
    Ok(())
}

/// How often an instance looks whether the clock was moved.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// As the pulse does, which looks twice a second.
async fn follow_clock(app: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        // A database that doesn't answer is the pulse's to tell.
        if let Ok(mut conn) = db::connect(&app.pool).await {
            let _ = jobs::schedule::read_clock(&app, &mut conn).await;
        }
    }
}
