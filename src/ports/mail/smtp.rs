//! Mail over SMTP, by lettre's connections.
//!
//! Not by lettre's pool: when a send is given up in the middle, that pool keeps the connection, and a late answer would
//! be read as the answer to the next mail's first command. Here a connection is kept only after a complete exchange.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use percent_encoding::percent_decode_str;
use tokio::time::Instant;
use url::Url;

use super::{SendError, without_addresses};

/// From the first packet to the server's last word; less than a job may take.
const DEFAULT_TIME_OUT: Duration = Duration::from_secs(60);
/// A connection that was idle for longer is not used again: servers close theirs without a word.
const KEPT_FOR: Duration = Duration::from_secs(20);
const KEPT_AT_MOST: usize = 8;

/// Replies that tell of our credentials, not of the mail (RFC 4954 §6): the operator can mend them, so they pass.
const CREDENTIAL_CODES: [u16; 4] = [530, 534, 535, 538];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    None,
    /// STARTTLS where the server offers it.
    Opportunistic,
    /// STARTTLS or nothing.
    Required,
    /// TLS from the first byte (`smtps://`).
    Wrapped,
}

/// `smtp[s]://[user:password@]host[:port][?tls=none|opportunistic|required&ca=FILE&timeout=SECONDS]`.
///
/// `smtp` with a user means `tls=required`, without one `opportunistic`. `ca` is a PEM file with a root certificate of
/// one's own, beside the public ones.
pub struct Client {
    host: String,
    port: u16,
    security: Security,
    tls: TlsParameters,
    credentials: Option<Credentials>,
    hello: ClientId,
    time_out: Duration,
    kept: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Client {
    /// # Errors
    /// What is wrong with the URL; never with its password.
    pub fn from_url(url: &Url) -> Result<Self, String> {
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or("the mail server's host is missing")?;
        let credentials = credentials(url)?;
        let (mut security, mut time_out, mut ca) = (None, DEFAULT_TIME_OUT, None);
        for (name, value) in url.query_pairs() {
            match (name.as_ref(), value.as_ref()) {
                ("tls", "none") => security = Some(Security::None),
                ("tls", "opportunistic") => security = Some(Security::Opportunistic),
                ("tls", "required") => security = Some(Security::Required),
                ("timeout", seconds) => time_out = seconds_of(seconds)?,
                ("ca", path) => ca = Some(certificate(path)?),
                ("tls", _) => return Err("tls: expected none, opportunistic or required".to_owned()),
                (other, _) => return Err(format!("no such parameter: {other}")),
            }
        }
        let security = match (url.scheme(), security) {
            ("smtps", None) => Security::Wrapped,
            ("smtps", Some(_)) => return Err("tls: is always on with smtps".to_owned()),
            (_, Some(security)) => security,
            (_, None) if credentials.is_some() => Security::Required,
            (_, None) => Security::Opportunistic,
        };
        let default_port = match (security, &credentials) {
            (Security::Wrapped, _) => SUBMISSIONS_PORT,
            (_, Some(_)) => SUBMISSION_PORT,
            (_, None) => SMTP_PORT,
        };
        let mut tls = TlsParameters::builder(host.to_owned());
        if let Some(certificate) = ca {
            tls = tls.add_root_certificate(certificate);
        }
        Ok(Self {
            host: host.to_owned(),
            port: url.port().unwrap_or(default_port),
            security,
            tls: tls.build().map_err(|error| error.to_string())?,
            credentials,
            hello: ClientId::default(),
            time_out,
            kept: Mutex::default(),
        })
    }

    /// # Errors
    /// [`SendError`]; a time-out is transient, though the mail may have gone.
    pub async fn send(&self, envelope: &Envelope, bytes: &[u8]) -> Result<(), SendError> {
        match tokio::time::timeout(self.time_out, self.converse(envelope, bytes)).await {
            Ok(result) => result,
            Err(_) => Err(SendError::Transient("the mail server didn't answer in time".to_owned())),
        }
    }

    async fn converse(&self, envelope: &Envelope, bytes: &[u8]) -> Result<(), SendError> {
        // Whatever a server says before it has heard of the mail is not about the mail.
        let connection = self.connection().await;
        let mut connection = connection.map_err(|error| SendError::Transient(describe(&error)))?;
        match connection.send(envelope, bytes).await {
            Ok(_) => {
                self.keep(connection);
                Ok(())
            }
            Err(error) => {
                let code = error.status().map(u16::from);
                let is_ours = code.is_some_and(|code| CREDENTIAL_CODES.contains(&code));
                let failed = if error.is_permanent() && !is_ours {
                    SendError::Permanent
                } else {
                    SendError::Transient
                };
                Err(failed(describe(&error)))
            }
        }
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, Error> {
        if let Some(mut kept) = self.take_kept()
            && kept.test_connected().await
        {
            return Ok(kept);
        }
        let wrapped = (self.security == Security::Wrapped).then(|| self.tls.clone());
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.time_out), &self.hello, wrapped, None)
                .await?;
        let start_tls = match self.security {
            Security::Required => true,
            Security::Opportunistic => connection.can_starttls(),
            Security::None | Security::Wrapped => false,
        };
        if start_tls {
            connection.starttls(self.tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    fn take_kept(&self) -> Option<AsyncSmtpConnection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, since)| since.elapsed() < KEPT_FOR);
        kept.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_AT_MOST && !connection.has_broken() {
            kept.push((connection, Instant::now()));
        }
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, String> {
    let decode = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| "user and password must be UTF-8".to_owned())
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => {
            Ok(Some(Credentials::new(decode(user)?, decode(password)?)))
        }
        _ => Err("give both user and password, or none".to_owned()),
    }
}

fn seconds_of(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=80) => Ok(Duration::from_secs(seconds)),
        _ => Err("timeout: expected 1 to 80 seconds".to_owned()),
    }
}

fn certificate(path: &str) -> Result<Certificate, String> {
    let pem = std::fs::read(path).map_err(|error| format!("ca: {path}: {error}"))?;
    Certificate::from_pem(&pem).map_err(|_| format!("ca: {path}: not a PEM certificate"))
}

/// lettre's words with the server's, without addresses.
fn describe(error: &Error) -> String {
    without_addresses(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Client {
        Client::from_url(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_password_never_goes_out_in_the_clear_by_default() {
        assert_eq!(client("smtp://u:p@h").security, Security::Required);
        assert_eq!(client("smtp://h").security, Security::Opportunistic);
        assert_eq!(client("smtps://u:p@h").security, Security::Wrapped);
        assert_eq!(client("smtp://u:p@h?tls=none").security, Security::None);
    }

    #[test]
    fn ports_are_the_usual_ones() {
        assert_eq!(client("smtp://h").port, 25);
        assert_eq!(client("smtp://u:p@h").port, 587);
        assert_eq!(client("smtps://h").port, 465);
        assert_eq!(client("smtp://h:1025").port, 1025);
    }
}
