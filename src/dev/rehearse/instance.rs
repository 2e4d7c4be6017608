//! The program under test, as the rehearsal runs it: `serve` with two differences. Its passwords cost next to nothing,
//! since 20,000 people sign in within minutes on two cores that also carry them all; and it ends when the rehearsal does.

use tokio::io::AsyncReadExt;

use super::{RehearsalError, SECRET_KEY, impossible};
use crate::app::Application;
use crate::config::{PasswordSettings, Settings};
use crate::ports::clock::Clock;

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
