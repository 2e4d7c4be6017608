//! The client: one call at a time, paced, with our own keys and our own repeats.

mod cards;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use miniserde::json::Value as RawAnswer;
use serde_json::Value;
use stripe::{Client, ClientBuilder, IdempotencyKey, RequestStrategy, StripeError, StripeRequest};
use stripe_checkout::checkout_session::ExpireCheckoutSession;
use stripe_core::dispute::RetrieveDispute;
use stripe_core::refund::RetrieveRefund;

use crate::error::{CallError, ConfigError};
use crate::pace::Pacer;
use crate::types::{Checkout, Dispute, Event, NewCheckout, NewCustomer, NewRefund, Page, Refund};
use crate::{answer, request};

/// Tries of one call, the first included. More patience is the job queue's matter.
const TRIES: u32 = 3;
/// The pause before the second try, doubled before the third, shortened at random by up to a half.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Refunds or disputes of one payment are a handful; this stops a list that never ends.
const MOST_PAGES: usize = 10;

/// What a client needs to know.
#[derive(Clone)]
pub struct Config {
    /// `sk_…` or `rk_…`. Never shown.
    pub secret_key: String,
    /// Instead of <https://api.stripe.com>, for a simulator; may have a path.
    pub base_url: Option<String>,
    /// For one try of one call, from connecting to the last byte. Waiting for one's turn doesn't count.
    pub timeout: Duration,
    /// Calls a second, for reads and for writes each. Several instances share the account's limit.
    pub rate_per_second: u32,
}

/// Without the key.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("base_url", &self.base_url)
            .field("timeout", &self.timeout)
            .field("rate_per_second", &self.rate_per_second)
            .finish_non_exhaustive()
    }
}

/// Stripe, as kindred knows it. Cheap to clone; clones share pace and rate.
///
/// Every call is tried up to three times, with the same key and the same body, when its outcome is open: on a
/// time-out, a network error, 409, 424, 429, 5xx or an unreadable answer. Then the error goes to the caller, whose
/// job comes again later with the same key.
#[derive(Clone)]
pub struct Stripe {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    live: bool,
    reads: Pacer,
    writes: Pacer,
    first_pause: Duration,
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("live", &self.inner.live).finish_non_exhaustive()
    }
}

impl Stripe {
    /// Checks the settings; calls nobody.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_pause(config, FIRST_PAUSE)
    }

    fn with_pause(config: Config, first_pause: Duration) -> Result<Self, ConfigError> {
        let key = config.secret_key.as_str();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::SecretKey);
        }
        let live = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        // async-stripe asks rustls for the process's default provider, which rustls refuses to guess where another
        // crate has compiled in a second one. Whoever was first has chosen: an error here means just that.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = ClientBuilder::new(key).timeout(config.timeout);
        if let Some(url) = &config.base_url {
            builder = builder.url(base_url(url, live)?);
        }
        let client = builder.build().map_err(|_| ConfigError::BaseUrl)?;
        let inner = Inner {
            client,
            live,
            reads: Pacer::new(config.rate_per_second),
            writes: Pacer::new(config.rate_per_second),
            first_pause,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether real money moves.
    pub fn is_live(&self) -> bool {
        self.inner.live
    }

    /// This instance's part of the account's limit, for reads and for writes each; counts from the next call on.
    pub fn set_rate(&self, per_second: u32) {
        self.inner.reads.set_rate(per_second);
        self.inner.writes.set_rate(per_second);
    }

    /// Opens a payment page.
    pub async fn create_checkout(&self, key: &str, new: &NewCheckout) -> Result<Checkout, CallError> {
        self.write(key, &request::create_checkout(new), answer::checkout).await
    }

    /// A payment page as it is now, with its payment intent and charge.
    pub async fn checkout(&self, id: &str) -> Result<Checkout, CallError> {
        known_form(id)?;
        self.read(&request::checkout(id), answer::checkout).await
    }

    /// Closes a payment page, so that nobody can pay on it any more. Stripe refuses this (400) unless it is open:
    /// then it may have been paid, so look at it.
    pub async fn expire_checkout(&self, key: &str, id: &str) -> Result<Checkout, CallError> {
        known_form(id)?;
        self.write(key, &ExpireCheckoutSession::new(id), answer::checkout).await
    }

    /// The account's payment pages from a moment on (UNIX seconds, inclusive), newest first, 100 a page.
    pub async fn checkouts(
        &self,
        created_from: i64,
        after: Option<&str>,
    ) -> Result<Page<Checkout>, CallError> {
        self.read(&request::checkouts(created_from, after), |value| answer::page(value, answer::checkout))
            .await
    }

    /// Sends money back.
    pub async fn create_refund(&self, key: &str, new: &NewRefund) -> Result<Refund, CallError> {
        self.write(key, &request::create_refund(new), answer::refund).await
    }

    /// A refund as it is now.
    pub async fn refund(&self, id: &str) -> Result<Refund, CallError> {
        known_form(id)?;
        self.read(&RetrieveRefund::new(id), answer::refund).await
    }

    /// Every refund of a payment, newest first, also those made in Stripe's dashboard.
    pub async fn refunds_of(&self, payment_intent: &str) -> Result<Vec<Refund>, CallError> {
        let mut all: Vec<Refund> = Vec::new();
        for _ in 0..MOST_PAGES {
            let after = all.last().map(|refund| refund.id.as_str());
            let request = request::refunds_of(payment_intent, after);
            let page = self.read(&request, |value| answer::whole_page(value, answer::refund)).await?;
            all.extend(page.data);
            if !page.has_more {
                return Ok(all);
            }
        }
        Err(CallError::unknown(None, "the list of refunds has no end"))
    }

    /// A dispute as it is now.
    pub async fn dispute(&self, id: &str) -> Result<Dispute, CallError> {
        known_form(id)?;
        self.read(&RetrieveDispute::new(id), answer::dispute).await
    }

    /// Every dispute of a payment, newest first.
    pub async fn disputes_of(&self, payment_intent: &str) -> Result<Vec<Dispute>, CallError> {
        let mut all: Vec<Dispute> = Vec::new();
        for _ in 0..MOST_PAGES {
            let after = all.last().map(|dispute| dispute.id.as_str());
            let request = request::disputes_of(payment_intent, after);
            let page = self.read(&request, |value| answer::whole_page(value, answer::dispute)).await?;
            all.extend(page.data);
            if !page.has_more {
                return Ok(all);
            }
        }
        Err(CallError::unknown(None, "the list of disputes has no end"))
    }

    /// Makes somebody whose card may be saved; gives the id (`cus_…`).
    pub async fn create_customer(&self, key: &str, new: &NewCustomer) -> Result<String, CallError> {
        self.write(key, &request::create_customer(new), answer::customer).await
    }

    /// What happened in the account from a moment on (UNIX seconds, inclusive; Stripe keeps 30 days), of the kinds in
    /// [`crate::EVENT_KINDS`], newest first, 100 a page; or only what no webhook endpoint has taken.
    pub async fn events(
        &self,
        created_from: i64,
        after: Option<&str>,
        undelivered_only: bool,
    ) -> Result<Page<Event>, CallError> {
        let request = request::events(created_from, after, undelivered_only);
        self.read(&request, |value| answer::page(value, answer::event)).await
    }

    async fn read<T>(
        &self,
        request: &impl StripeRequest,
        decode: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, CallError> {
        self.call(&self.inner.reads, RequestStrategy::Once, request, decode).await.map_err(CallError::from)
    }

    async fn write<T>(
        &self,
        key: &str,
        request: &impl StripeRequest,
        decode: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, CallError> {
        self.write_or_tell(key, request, decode).await.map_err(CallError::from)
    }

    /// As [`Self::write`]; a failure names the payment intent that it left behind.
    async fn write_or_tell<T>(
        &self,
        key: &str,
        request: &impl StripeRequest,
        decode: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, Failure> {
        // The header takes visible ASCII; a key that can't be sent would otherwise look like a broken network.
        let key = IdempotencyKey::new(key)
            .ok()
            .filter(|key| key.as_str().bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or_else(|| {
                CallError::unsendable("invalid_idempotency_key", "1 to 255 visible ASCII characters")
            })?;
        self.call(&self.inner.writes, RequestStrategy::Idempotent(key), request, decode).await
    }

    /// The one place where a call is made and repeated.
    async fn call<T>(
        &self,
        pacer: &Pacer,
        strategy: RequestStrategy,
        request: &impl StripeRequest,
        decode: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, Failure> {
        let mut pause = self.inner.first_pause;
        let mut tried = 1;
        loop {
            pacer.turn().await;
            let failure = match self.once(strategy.clone(), request, &decode).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !failure.error.is_transient() || tried == TRIES {
                return Err(failure);
            }
            tracing::debug!(error = %failure.error, tried, "a call to Stripe is tried again");
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
            pause *= 2;
            tried += 1;
        }
    }

    async fn once<T>(
        &self,
        strategy: RequestStrategy,
        request: &impl StripeRequest,
        decode: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, Failure> {
        let mut built = request.build();
        built.body = built.body.as_deref().map(canonical);
        let raw: RawAnswer = built
            .customize()
            .request_strategy(strategy)
            .send(&self.inner.client)
            .await
            .map_err(Failure::of)?;
        // Nothing but JSON comes out of the raw answer, so a failure here is one of ours; treated as unreadable.
        serde_json::from_str(&miniserde::json::to_string(&raw)).ok().as_ref().and_then(decode).ok_or_else(
            || CallError::unknown(Some(200), "the answer isn't the object that was asked for").into(),
        )
    }
}

/// The same pairs in one fixed order. async-stripe writes metadata in a hash map's order, which differs from run to
/// run, and a repeat should be the same to the byte. Order means nothing to Stripe: lists carry their index.
fn canonical(body: &str) -> String {
    let mut pairs: Vec<&str> = body.split('&').collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// Why a call brought nothing, and the payment intent (`pi_…`) that Stripe made all the same: a card that is refused
/// comes as an error which carries it.
struct Failure {
    error: CallError,
    intent: Option<String>,
}

impl Failure {
    fn of(error: StripeError) -> Self {
        let intent = match &error {
            StripeError::Stripe(error, _) => {
                error.payment_intent.as_ref().map(|intent| intent.id.to_string())
            }
            _ => None,
        };
        Self { error: failure(error), intent }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { error, intent: None }
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What async-stripe reports, sorted by what may have happened at Stripe.
fn failure(error: StripeError) -> CallError {
    let (error, status) = match error {
        StripeError::Stripe(error, status) => (error, status),
        StripeError::Timeout => return CallError::unknown(None, "time-out"),
        StripeError::ClientError(why) => return CallError::unknown(None, format!("network: {why}")),
        // async-stripe drops the status of an error whose body isn't Stripe's JSON (a proxy's 502 page).
        StripeError::JSONDeserialize(_) => return CallError::unknown(None, "the answer couldn't be read"),
        StripeError::ConfigError(why) => return CallError::unsendable("configuration", why),
    };
    match status {
        404 => CallError::NotFound,
        429 => CallError::RateLimited,
        409 => CallError::unknown(Some(status), "a call with the same key is running (409)"),
        400..=499 if status != 424 => CallError::Refused {
            status,
            kind: error.type_.to_string(),
            code: error.code.map(|code| code.to_string()),
            message: error.message.unwrap_or_default(),
            param: error.param,
        },
        _ => CallError::unknown(Some(status), format!("Stripe answered {status}")),
    }
}

/// Ids go into paths: one of another form can't be Stripe's, and an empty one would ask for the whole list.
fn known_form(id: &str) -> Result<(), CallError> {
    let fits = !id.is_empty()
        && id.len() <= 255
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if fits { Ok(()) } else { Err(CallError::NotFound) }
}

/// async-stripe appends `v1/…` to the address as it stands, so a path needs its slash.
fn base_url(url: &str, live: bool) -> Result<String, ConfigError> {
    let rest =
        url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or(ConfigError::BaseUrl)?;
    if rest.is_empty() || rest.starts_with('/') || rest.contains(['?', '#']) {
        return Err(ConfigError::BaseUrl);
    }
    if live && url.starts_with("http://") {
        return Err(ConfigError::LiveKeyInTheClear);
    }
    Ok(format!("{}/", url.trim_end_matches('/')))
}

#[cfg(test)]
mod tests;
