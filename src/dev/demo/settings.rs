//! The demo's settings: those of the shop, without any way out of this machine.

use std::net::SocketAddr;

use secrecy::SecretString;

use super::STRIPE_PATH;
use crate::config::{ConfigError, Settings, Source, StripeSettings};
use crate::error::{AppError, Result};

/// The simulator's key. It opens nothing else.
pub const STRIPE_KEY: &str = "sk_test_demo";
/// Calls a second, of reads and of writes each: Stripe's limit in live mode.
pub const STRIPE_RATE: u32 = 100;

/// What the demo brings along itself, so that a shop's real settings in the environment do no harm.
const REPLACED: [&str; 10] = [
    "DATABASE_URL",
    "DATABASE_URL_DIRECT",
    "DATABASE_URL_REPLICA",
    "KINDRED_STATEMENT_CACHE",
    "KINDRED_SMTP_URL",
    "KINDRED_STRIPE_URL",
    "KINDRED_STRIPE_RATE",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "KINDRED_METRICS_LISTEN",
];

/// Settings that are right but for the port, which may be any free one.
pub struct Given {
    source: Source,
    pub listen: SocketAddr,
}

/// # Errors
/// A live key, an address that others reach, or any setting that is wrong.
pub fn read(source: Source) -> Result<Given, ConfigError> {
    let key = source.get("STRIPE_SECRET_KEY").unwrap_or_default();
    if key.contains("_live_") {
        return Err(wrong("STRIPE_SECRET_KEY", "the demo doesn't start beside a live key: unset it"));
    }
    for name in REPLACED.iter().filter(|name| source.get(name).is_some()) {
        tracing::warn!("{name} is set, but the demo uses its own");
    }
    let source = source
        .without(&REPLACED)
        .or("KINDRED_LIMIT_REQUESTS_PER_MINUTE", "600")
        .or("KINDRED_LIMIT_CREDENTIALS_PER_MINUTE", "600")
        .or("KINDRED_LIMIT_FAILURES_PER_ACCOUNT", "100")
        .or("KINDRED_MAIL_FROM", "同好 kindred <no-reply@demo.test>");
    let listen = source.settings()?.listen;
    if !listen.ip().is_loopback() {
        return Err(wrong(
            "KINDRED_LISTEN",
            "the demo is for this machine alone: use an address such as 127.0.0.1:8080",
        ));
    }
    Ok(Given { source, listen })
}

impl Given {
    /// With the address that it listens on.
    ///
    /// # Errors
    /// Any setting that is wrong.
    pub fn on(self, address: SocketAddr) -> Result<Settings, ConfigError> {
        let source = self.source.without(&["KINDRED_LISTEN"]).or("KINDRED_LISTEN", &address.to_string());
        Ok(Settings { demo: true, ..source.settings()? })
    }
}

/// # Errors
/// Never in practice.
pub fn with_simulator(settings: Settings, webhook_secret: &str) -> Result<Settings> {
    let url = format!("http://{}{STRIPE_PATH}", settings.listen);
    let stripe = StripeSettings {
        url: Some(url.parse().map_err(AppError::internal)?),
        secret_key: SecretString::from(STRIPE_KEY),
        webhook_secrets: vec![SecretString::from(webhook_secret)],
        rate_per_second: STRIPE_RATE,
    };
    Ok(Settings { stripe: Some(stripe), ..settings })
}

fn wrong(name: &str, why: &str) -> ConfigError {
    ConfigError { name: name.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[(&str, &str)]) -> Result<Given, ConfigError> {
        read(values.iter().fold(Source::default(), |source, (name, value)| source.or(name, value)))
    }

    #[test]
    fn only_this_machine_may_reach_it() {
        for address in ["0.0.0.0:8080", "192.168.1.2:8080", "[::]:8080"] {
            assert_eq!(given(&[("KINDRED_LISTEN", address)]).err().unwrap().name, "KINDRED_LISTEN");
        }
        for address in ["127.0.0.1:0", "127.0.0.9:80", "[::1]:8080"] {
            assert_eq!(given(&[("KINDRED_LISTEN", address)]).ok().unwrap().listen.to_string(), address);
        }
    }

    #[test]
    fn a_live_key_is_refused_and_a_real_shops_settings_are_left_out() {
        for key in ["sk_live_x", "rk_live_x"] {
            let refused = given(&[("STRIPE_SECRET_KEY", key)]).err().unwrap();
            assert_eq!(refused.name, "STRIPE_SECRET_KEY");
            assert!(!refused.to_string().contains(key));
        }
        let real = [
            ("STRIPE_SECRET_KEY", "sk_test_real"),
            ("DATABASE_URL", "postgres://real"),
            ("KINDRED_SMTP_URL", "smtp://real.example"),
        ];
        let settings = given(&real).ok().unwrap().on(([127, 0, 0, 1], 7).into()).unwrap();
        assert!(settings.demo && settings.stripe.is_none() && settings.database.url.is_none());
        assert!(settings.smtp_url.is_none());
        assert_eq!(settings.public_url.as_str(), "http://127.0.0.1:7/");
        assert_eq!(settings.limits.requests_per_minute, 600);
    }
}
