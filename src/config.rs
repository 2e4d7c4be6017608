//! Settings, from the environment or from a TOML file of the same names. All of them are checked at start; what is wrong
//! is one clear line. Secrets are wrapped and never printed.

mod database;
mod seller;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::ports::mail::Mailer;

pub use database::DatabaseSettings;
pub use seller::SellerSettings;

/// Everything that can be set. `Settings::from_lookup` documents each by its name and default.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub public_url: Url,
    pub storefront_url: Url,
    pub allowed_origins: Vec<String>,
    pub data_dir: PathBuf,
    pub database: DatabaseSettings,
    pub trusted_proxies: Vec<IpAddr>,
    pub timezone: chrono_tz::Tz,
    pub currency: String,
    pub metrics_listen: Option<SocketAddr>,
    /// How old a page may be that looks the same to everybody who isn't signed in; zero: each is made anew.
    pub public_max_age: Duration,
    pub stripe: Option<StripeSettings>,
    pub smtp_url: Option<SecretString>,
    pub mail_from: String,
    pub seller: SellerSettings,
    /// A font with Chinese glyphs, or a folder of fonts; none: where the system keeps them.
    pub pdf_font: Option<PathBuf>,
    pub limits: Limits,
    pub sign_in: SignInSettings,
    pub goods: GoodsSettings,
    pub passwords: PasswordSettings,
    /// How long a unit that a waiting list offers is set aside.
    pub waiting_offer: TimeDelta,
    /// For so long in a year may a member let the membership rest.
    pub freeze_most: TimeDelta,
    /// For so long after a measure was taken may its member appeal.
    pub appeal_within: TimeDelta,
    pub notices: NoticeSettings,
    /// From its delivery until a gift membership is to be redeemed.
    pub gift_valid: TimeDelta,
    /// So long before its end is a trial told of.
    pub trial_notice: TimeDelta,
    /// Only `kindred demo` and tests: a clock that may be moved, an inbox, a greeting page.
    pub demo: bool,
}

#[derive(Clone, Debug)]
pub struct StripeSettings {
    /// Another base URL than Stripe's: the simulator's.
    pub url: Option<Url>,
    pub secret_key: SecretString,
    pub webhook_secrets: Vec<SecretString>,
    /// Calls a second that all instances share, for reads and for writes each.
    pub rate_per_second: u32,
}

impl StripeSettings {
    pub fn is_live(&self) -> bool {
        let key = self.secret_key.expose_secret();
        key.starts_with("sk_live_") || key.starts_with("rk_live_")
    }
}

/// How long one stays signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInSettings {
    pub access_token: TimeDelta,
    /// From its last use.
    pub refresh_token: TimeDelta,
}

impl Default for SignInSettings {
    fn default() -> Self {
        Self { access_token: TimeDelta::minutes(10), refresh_token: TimeDelta::days(30) }
    }
}

/// What the shop promises of goods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodsSettings {
    /// From payment until they are handed to a carrier.
    pub ship_within: TimeDelta,
    /// From their delivery until they can't be sent back any more.
    pub return_window: TimeDelta,
}

impl Default for GoodsSettings {
    fn default() -> Self {
        Self { ship_within: TimeDelta::hours(72), return_window: TimeDelta::days(14) }
    }
}

/// Announcements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeSettings {
    /// Who they are from; none: who all mails are from.
    pub from: Option<String>,
    /// So many a member may get in a month of the shop.
    pub cap: i32,
    /// Mails of one notice that are queued in a minute.
    pub per_minute: i64,
}

/// The cost of argon2id. Not to be set from outside: only tests and rehearsals, on a throw-away database, lower it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordSettings {
    pub memory_kib: u32,
    pub iterations: u32,
    pub lanes: u32,
    /// Replace a hash of another cost when its owner signs in.
    pub rehash: bool,
}

impl Default for PasswordSettings {
    /// The first choice of OWASP's Password Storage Cheat Sheet.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, lanes: 1, rehash: true }
    }
}

impl PasswordSettings {
    /// The lowest cost that argon2 takes.
    pub fn lowest() -> Self {
        Self { memory_kib: 8, iterations: 1, lanes: 1, rehash: false }
    }
}

/// Rate limits and sizes, `KINDRED_LIMIT_…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute from one address.
    pub requests_per_minute: u32,
    /// Sign-ins, sign-ups, resets a minute from one address.
    pub credentials_per_minute: u32,
    /// Failed sign-ins of one account in 15 minutes, over all addresses.
    pub failures_per_account: i32,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Orders that wait for the placer before a new one is answered 503.
    pub placer_queue: usize,
    /// Seconds that an order waits to be placed before it is answered 503.
    pub placer_seconds: u32,
    /// Open connections an instance takes.
    pub connections: usize,
    /// Seconds after which a connection that hasn't sent a whole request head is closed.
    pub head_seconds: u32,
    /// Seconds that a connection stands idle between two requests.
    pub idle_seconds: u32,
    /// Seconds within which an answer is to be read. Not to be set from outside: tests lower it.
    pub answer_seconds: u32,
    /// Streams of events that an instance has open.
    pub streams: usize,
    /// Of them, from one address.
    pub streams_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: 300,
            credentials_per_minute: 20,
            failures_per_account: 10,
            body_bytes: 64 * 1024,
            // A second or two of work for one placer.
            placer_queue: 2_000,
            placer_seconds: 5,
            connections: 10_000,
            head_seconds: 10,
            idle_seconds: 30,
            answer_seconds: 60,
            streams: 5_000,
            streams_per_address: 50,
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub struct ConfigError {
    pub name: String,
    pub why: String,
}

fn wrong(name: &str, why: impl Into<String>) -> ConfigError {
    ConfigError { name: name.to_owned(), why: why.into() }
}

/// Reads settings by name and remembers which names it knows.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn parse<T: std::str::FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, ConfigError> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| wrong(name, format!("expected {expected}"))))
            .transpose()
    }

    /// A whole number of 1 to `max`.
    fn within(&self, name: &str, max: i64) -> Result<Option<i64>, ConfigError> {
        match self.parse::<i64>(name, "a number above 0")? {
            Some(value) if !(1..=max).contains(&value) => Err(wrong(name, format!("expected 1 to {max}"))),
            other => Ok(other),
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    }

    fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    fn url(&self, name: &str) -> Result<Option<Url>, ConfigError> {
        let Some(url) = self.parse::<Url>(name, "a URL")? else { return Ok(None) };
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong(name, "expected an http or https URL"));
        }
        Ok(Some(url))
    }
}

/// All settings; README.md and .env.example explain each (a test compares).
pub const KNOWN_NAMES: [&str; 49] = [
    "KINDRED_LISTEN",
    "KINDRED_PUBLIC_URL",
    "KINDRED_STOREFRONT_URL",
    "KINDRED_ALLOWED_ORIGINS",
    "KINDRED_DATA_DIR",
    "DATABASE_URL",
    "DATABASE_URL_DIRECT",
    "DATABASE_URL_REPLICA",
    "KINDRED_DATABASE_CONNECTIONS",
    "KINDRED_STATEMENT_CACHE",
    "KINDRED_TRUSTED_PROXIES",
    "KINDRED_TIMEZONE",
    "KINDRED_CURRENCY",
    "KINDRED_METRICS_LISTEN",
    "KINDRED_PUBLIC_AGE_MS",
    "KINDRED_STRIPE_URL",
    "KINDRED_STRIPE_RATE",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "KINDRED_SMTP_URL",
    "KINDRED_MAIL_FROM",
    "KINDRED_SELLER_NAME",
    "KINDRED_SELLER_ADDRESS",
    "KINDRED_SELLER_TAX_ID",
    "KINDRED_PDF_FONT",
    "KINDRED_LIMIT_REQUESTS_PER_MINUTE",
    "KINDRED_LIMIT_CREDENTIALS_PER_MINUTE",
    "KINDRED_LIMIT_FAILURES_PER_ACCOUNT",
    "KINDRED_LIMIT_BODY_BYTES",
    "KINDRED_LIMIT_PLACER_QUEUE",
    "KINDRED_LIMIT_PLACER_SECONDS",
    "KINDRED_LIMIT_CONNECTIONS",
    "KINDRED_LIMIT_HEAD_SECONDS",
    "KINDRED_LIMIT_IDLE_SECONDS",
    "KINDRED_LIMIT_STREAMS",
    "KINDRED_LIMIT_STREAMS_PER_ADDRESS",
    "KINDRED_ACCESS_TOKEN_MINUTES",
    "KINDRED_REFRESH_TOKEN_DAYS",
    "KINDRED_WAITING_OFFER_HOURS",
    "KINDRED_SHIP_BY_HOURS",
    "KINDRED_RETURN_DAYS",
    "KINDRED_FREEZE_DAYS",
    "KINDRED_APPEAL_DAYS",
    "KINDRED_NOTICE_FROM",
    "KINDRED_NOTICE_CAP",
    "KINDRED_NOTICE_RATE",
    "KINDRED_GIFT_DAYS",
    "KINDRED_TRIAL_NOTICE_DAYS",
    "KINDRED_LOG",
];

/// The settings by name as they were given, before they are read.
#[derive(Clone, Default)]
pub struct Source(BTreeMap<String, String>);

impl Source {
    /// From the environment, over a file where one is given.
    ///
    /// # Errors
    /// A file that can't be read, or the first name that is (in a file or with our prefix) unknown.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut values = BTreeMap::new();
        if let Some(path) = file {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| wrong(&name, error.to_string()))?;
            let table: BTreeMap<String, toml::Value> =
                toml::from_str(&text).map_err(|error| wrong(&name, error.message().to_owned()))?;
            for (key, value) in table {
                let text = match value {
                    toml::Value::String(text) => text,
                    other => other.to_string(),
                };
                values.insert(key, text);
            }
        }
        values.extend(std::env::vars().filter(|(name, _)| {
            name.starts_with("KINDRED_") || name.starts_with("DATABASE_URL") || name.starts_with("STRIPE_")
        }));
        let unknown = values.keys().find(|name| {
            !KNOWN_NAMES.contains(&name.as_str()) && (file.is_some() || name.starts_with("KINDRED_"))
        });
        match unknown {
            Some(name) => Err(wrong(name, "no such setting")),
            None => Ok(Self(values)),
        }
    }

    /// The value as it was given; an empty one is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Gives a value to what has none.
    #[must_use]
    pub fn or(mut self, name: &str, value: &str) -> Self {
        if self.get(name).is_none() {
            self.0.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    /// Nothing but where the database is: for commands that need no more, so that a key which is missing or wrong doesn't
    /// keep anybody from making a backup.
    #[must_use]
    pub fn database_only(mut self) -> Self {
        const NAMES: [&str; 4] =
            ["DATABASE_URL", "DATABASE_URL_DIRECT", "KINDRED_DATA_DIR", "KINDRED_CURRENCY"];
        self.0.retain(|name, _| NAMES.contains(&name.as_str()));
        self
    }

    /// # Errors
    /// The first setting that is wrong or missing.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        Settings::from_lookup(&|name| self.0.get(name).cloned())
    }
}

impl Settings {
    /// From any source of values by name.
    ///
    /// # Errors
    /// The first setting that is wrong or missing.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let read = Reader { lookup };
        let listen: SocketAddr = read
            .parse("KINDRED_LISTEN", "an address and port such as 127.0.0.1:8080")?
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
        let default_url = format!("http://{listen}");
        let public_url = match read.url("KINDRED_PUBLIC_URL")? {
            Some(url) => url,
            None => default_url.parse().map_err(|_| wrong("KINDRED_PUBLIC_URL", "set it"))?,
        };
        let storefront_url = read.url("KINDRED_STOREFRONT_URL")?.unwrap_or_else(|| public_url.clone());
        let stripe = stripe_settings(&read)?;
        let mail_from = mail_from(&read)?;
        if let Some(stripe) = stripe.as_ref().filter(|stripe| stripe.is_live()) {
            if public_url.scheme() != "https" {
                return Err(wrong("KINDRED_PUBLIC_URL", "a live Stripe key needs an https URL"));
            }
            if stripe.webhook_secrets.is_empty() {
                return Err(wrong("STRIPE_WEBHOOK_SECRET", "a live Stripe key needs the webhook's secret"));
            }
        }
        Ok(Self {
            listen,
            allowed_origins: origins(&read, &public_url)?,
            public_url,
            storefront_url,
            data_dir: read.text("KINDRED_DATA_DIR").map_or_else(|| PathBuf::from("./data"), PathBuf::from),
            database: DatabaseSettings::read(&read)?,
            trusted_proxies: trusted_proxies(&read)?,
            timezone: read
                .parse("KINDRED_TIMEZONE", "a zone such as Asia/Shanghai")?
                .unwrap_or(chrono_tz::Asia::Shanghai),
            currency: currency(&read)?,
            public_max_age: public_max_age(&read)?,
            metrics_listen: read.parse("KINDRED_METRICS_LISTEN", "an address and port")?,
            stripe,
            smtp_url: smtp_url(&read)?,
            seller: SellerSettings::read(&read, &mail_from)?,
            mail_from,
            pdf_font: read.text("KINDRED_PDF_FONT").map(PathBuf::from),
            limits: limits(&read)?,
            sign_in: sign_in(&read)?,
            goods: goods(&read)?,
            passwords: PasswordSettings::default(),
            waiting_offer: waiting_offer(&read)?,
            freeze_most: TimeDelta::days(read.within("KINDRED_FREEZE_DAYS", 365)?.unwrap_or(60)),
            appeal_within: TimeDelta::days(read.within("KINDRED_APPEAL_DAYS", 365)?.unwrap_or(30)),
            notices: notices(&read)?,
            gift_valid: TimeDelta::days(read.within("KINDRED_GIFT_DAYS", 3_650)?.unwrap_or(365)),
            trial_notice: TimeDelta::days(read.within("KINDRED_TRIAL_NOTICE_DAYS", 30)?.unwrap_or(2)),
            demo: false,
        })
    }
}

fn stripe_settings(read: &Reader) -> Result<Option<StripeSettings>, ConfigError> {
    let Some(secret_key) = read.secret("STRIPE_SECRET_KEY") else { return Ok(None) };
    let text = secret_key.expose_secret();
    if !["sk_test_", "sk_live_", "rk_test_", "rk_live_"].iter().any(|prefix| text.starts_with(prefix)) {
        return Err(wrong("STRIPE_SECRET_KEY", "expected a key that starts with sk_ or rk_"));
    }
    let live = text.contains("_live_");
    let rate = read.parse("KINDRED_STRIPE_RATE", "calls a second")?.unwrap_or(if live { 90 } else { 20 });
    if rate == 0 {
        return Err(wrong("KINDRED_STRIPE_RATE", "must be at least 1"));
    }
    Ok(Some(StripeSettings {
        url: read.url("KINDRED_STRIPE_URL")?,
        secret_key,
        webhook_secrets: read.list("STRIPE_WEBHOOK_SECRET").into_iter().map(SecretString::from).collect(),
        rate_per_second: rate,
    }))
}

/// Origins of which URLs are allowed and which may call from a browser; the public URL's always is.
fn origins(read: &Reader, public_url: &Url) -> Result<Vec<String>, ConfigError> {
    const NAME: &str = "KINDRED_ALLOWED_ORIGINS";
    let mut origins = vec![public_url.origin().ascii_serialization()];
    for text in read.list(NAME) {
        let url: Url = text.parse().map_err(|_| wrong(NAME, format!("`{text}` is not a URL")))?;
        if !matches!(url.scheme(), "http" | "https") || url.path() != "/" || url.query().is_some() {
            return Err(wrong(NAME, format!("`{text}` is not an origin such as https://shop.example")));
        }
        origins.push(url.origin().ascii_serialization());
    }
    Ok(origins)
}

fn trusted_proxies(read: &Reader) -> Result<Vec<IpAddr>, ConfigError> {
    const NAME: &str = "KINDRED_TRUSTED_PROXIES";
    let parse =
        |text: String| text.parse().map_err(|_| wrong(NAME, format!("`{text}` is not an IP address")));
    read.list(NAME).into_iter().map(parse).collect()
}

/// Below a second, so that what is left of a drop is at most a second old when it is read.
fn public_max_age(read: &Reader) -> Result<Duration, ConfigError> {
    const NAME: &str = "KINDRED_PUBLIC_AGE_MS";
    match read.parse(NAME, "a number of milliseconds")? {
        None => Ok(Duration::from_millis(900)),
        Some(millis @ 0..=60_000) => Ok(Duration::from_millis(millis)),
        Some(_) => Err(wrong(NAME, "expected 0 to 60000")),
    }
}

fn currency(read: &Reader) -> Result<String, ConfigError> {
    let currency = read.text("KINDRED_CURRENCY").unwrap_or_else(|| "CNY".into());
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(wrong("KINDRED_CURRENCY", "expected three capital letters (ISO 4217)"));
    }
    Ok(currency)
}

fn smtp_url(read: &Reader) -> Result<Option<SecretString>, ConfigError> {
    const NAME: &str = "KINDRED_SMTP_URL";
    let Some(text) = read.text(NAME) else { return Ok(None) };
    Mailer::from_url(&text).map_err(|why| wrong(NAME, why))?;
    Ok(Some(SecretString::from(text)))
}

fn sign_in(read: &Reader) -> Result<SignInSettings, ConfigError> {
    let default = SignInSettings::default();
    Ok(SignInSettings {
        access_token: read
            .within("KINDRED_ACCESS_TOKEN_MINUTES", 60)?
            .map_or(default.access_token, TimeDelta::minutes),
        refresh_token: read
            .within("KINDRED_REFRESH_TOKEN_DAYS", 365)?
            .map_or(default.refresh_token, TimeDelta::days),
    })
}

fn waiting_offer(read: &Reader) -> Result<TimeDelta, ConfigError> {
    const NAME: &str = "KINDRED_WAITING_OFFER_HOURS";
    match read.parse::<i64>(NAME, "a number of hours")?.unwrap_or(24) {
        hours @ 1..=720 => Ok(TimeDelta::hours(hours)),
        _ => Err(wrong(NAME, "expected 1 to 720")),
    }
}

fn goods(read: &Reader) -> Result<GoodsSettings, ConfigError> {
    let default = GoodsSettings::default();
    Ok(GoodsSettings {
        ship_within: read
            .within("KINDRED_SHIP_BY_HOURS", 8_760)?
            .map_or(default.ship_within, TimeDelta::hours),
        return_window: read
            .within("KINDRED_RETURN_DAYS", 365)?
            .map_or(default.return_window, TimeDelta::days),
    })
}

fn mail_from(read: &Reader) -> Result<String, ConfigError> {
    let given = mailbox(read, "KINDRED_MAIL_FROM")?;
    Ok(given.unwrap_or_else(|| "kindred <no-reply@localhost.localdomain>".to_owned()))
}

fn mailbox(read: &Reader, name: &str) -> Result<Option<String>, ConfigError> {
    let Some(text) = read.text(name) else { return Ok(None) };
    match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(Some(text)),
        Err(_) => Err(wrong(name, "expected an address such as `The shop <no-reply@shop.example>`")),
    }
}

fn notices(read: &Reader) -> Result<NoticeSettings, ConfigError> {
    const CAP: &str = "KINDRED_NOTICE_CAP";
    let cap = read.within(CAP, 1_000)?.unwrap_or(4);
    Ok(NoticeSettings {
        from: mailbox(read, "KINDRED_NOTICE_FROM")?,
        cap: i32::try_from(cap).map_err(|_| wrong(CAP, "expected 1 to 1000"))?,
        per_minute: read.within("KINDRED_NOTICE_RATE", 60_000)?.unwrap_or(600),
    })
}

fn limits(read: &Reader) -> Result<Limits, ConfigError> {
    let default = Limits::default();
    let number = |name: &str, default: u32| match read.parse::<u32>(name, "a number above 0")? {
        Some(0) => Err(wrong(name, "expected a number above 0")),
        Some(value) => Ok(value),
        None => Ok(default),
    };
    let size = |name: &str, default: usize| match read.parse::<usize>(name, "a number above 0")? {
        Some(0) => Err(wrong(name, "expected a number above 0")),
        Some(value) => Ok(value),
        None => Ok(default),
    };
    Ok(Limits {
        requests_per_minute: number("KINDRED_LIMIT_REQUESTS_PER_MINUTE", default.requests_per_minute)?,
        credentials_per_minute: number(
            "KINDRED_LIMIT_CREDENTIALS_PER_MINUTE",
            default.credentials_per_minute,
        )?,
        failures_per_account: read
            .parse("KINDRED_LIMIT_FAILURES_PER_ACCOUNT", "a number")?
            .unwrap_or(default.failures_per_account),
        body_bytes: size("KINDRED_LIMIT_BODY_BYTES", default.body_bytes)?,
        placer_queue: size("KINDRED_LIMIT_PLACER_QUEUE", default.placer_queue)?,
        placer_seconds: number("KINDRED_LIMIT_PLACER_SECONDS", default.placer_seconds)?,
        connections: size("KINDRED_LIMIT_CONNECTIONS", default.connections)?,
        head_seconds: number("KINDRED_LIMIT_HEAD_SECONDS", default.head_seconds)?,
        answer_seconds: default.answer_seconds,
        idle_seconds: number("KINDRED_LIMIT_IDLE_SECONDS", default.idle_seconds)?,
        streams: size("KINDRED_LIMIT_STREAMS", default.streams)?,
        streams_per_address: size("KINDRED_LIMIT_STREAMS_PER_ADDRESS", default.streams_per_address)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Statements;

    fn read(values: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        Settings::from_lookup(&|name| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_are_those_of_the_page() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.public_url.as_str(), "http://127.0.0.1:8080/");
        assert_eq!(settings.allowed_origins, ["http://127.0.0.1:8080"]);
        assert_eq!(settings.timezone, chrono_tz::Asia::Shanghai);
        assert_eq!(settings.currency, "CNY");
        assert!(settings.stripe.is_none());
        assert_eq!((settings.seller.name.as_str(), settings.seller.address.len()), ("kindred", 0));
    }

    #[test]
    fn the_seller_has_an_address_of_lines() {
        let seller = read(&[
            ("KINDRED_MAIL_FROM", "罗辑思维 <shop@shop.example>"),
            ("KINDRED_SELLER_ADDRESS", "朝阳门外大街 1 号 | 北京 100020|中国|"),
        ]);
        let seller = seller.unwrap().seller;
        assert_eq!(seller.name, "罗辑思维");
        assert_eq!(seller.address, ["朝阳门外大街 1 号", "北京 100020", "中国"]);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        for (name, value) in [
            ("KINDRED_LISTEN", "8080"),
            ("KINDRED_PUBLIC_URL", "ftp://shop"),
            ("KINDRED_ALLOWED_ORIGINS", "https://shop.example/path"),
            ("KINDRED_TIMEZONE", "Mars/Olympus"),
            ("KINDRED_CURRENCY", "yuan"),
            ("KINDRED_TRUSTED_PROXIES", "proxy"),
            ("KINDRED_SMTP_URL", "mail.example"),
            ("KINDRED_SMTP_URL", "smtp://user@mail.example"),
            ("KINDRED_MAIL_FROM", "the shop"),
            ("KINDRED_SELLER_NAME", "a\tb"),
            ("STRIPE_SECRET_KEY", "pk_test_1"),
            ("KINDRED_LIMIT_BODY_BYTES", "0"),
            ("KINDRED_PUBLIC_AGE_MS", "60001"),
            ("KINDRED_STATEMENT_CACHE", "false"),
            ("KINDRED_WAITING_OFFER_HOURS", "721"),
            ("KINDRED_SHIP_BY_HOURS", "0"),
            ("KINDRED_RETURN_DAYS", "366"),
            ("KINDRED_FREEZE_DAYS", "366"),
            ("KINDRED_APPEAL_DAYS", "0"),
            ("KINDRED_NOTICE_FROM", "the shop"),
            ("KINDRED_NOTICE_CAP", "0"),
            ("KINDRED_NOTICE_RATE", "60001"),
            ("KINDRED_GIFT_DAYS", "3651"),
            ("KINDRED_TRIAL_NOTICE_DAYS", "31"),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().name, name);
        }
    }

    #[test]
    fn without_a_statement_cache_there_must_be_a_way_past_the_pooler() {
        let off = ("KINDRED_STATEMENT_CACHE", "off");
        let (url, direct) = ("DATABASE_URL", "DATABASE_URL_DIRECT");
        assert_eq!(read(&[off, (url, "postgres://pooler/shop")]).unwrap_err().name, direct);
        let both = read(&[off, (url, "postgres://pooler/shop"), (direct, "postgres://db/shop")]).unwrap();
        assert_eq!(both.database.statements, Statements::Passing);
        assert_eq!(read(&[(url, "postgres://db/shop")]).unwrap().database.statements, Statements::Kept);
    }

    #[test]
    fn a_live_key_needs_https_and_the_webhooks_secret_and_is_never_printed() {
        let live = ("STRIPE_SECRET_KEY", "sk_live_verysecret");
        let https = ("KINDRED_PUBLIC_URL", "https://shop.example");
        assert_eq!(read(&[live]).unwrap_err().name, "KINDRED_PUBLIC_URL");
        assert_eq!(read(&[live, https]).unwrap_err().name, "STRIPE_WEBHOOK_SECRET");
        let settings = read(&[live, https, ("STRIPE_WEBHOOK_SECRET", "whsec_a, whsec_b")]).unwrap();
        assert_eq!(settings.stripe.as_ref().unwrap().webhook_secrets.len(), 2);
        let printed = format!("{settings:?}");
        assert!(!printed.contains("verysecret") && !printed.contains("whsec_a"));
    }
}
