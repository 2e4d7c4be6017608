//! Rate limits by client address, and the end of the line at the database. They follow the machine's time, live in this process alone (each instance counts for
//! itself), and know no exemption for loopback: rehearsals come from there.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use percent_encoding::percent_decode_str;

use super::client;
use crate::app::App;
use crate::config;
use crate::error::{AppError, Code};

/// Addresses remembered before all of them are forgotten. Who commands that many isn't held up by an address limit, and
/// must not be able to fill the memory either.
const MOST_ADDRESSES: usize = 100_000;
/// Requests between two looks at what can be forgotten.
const CLEAN_EVERY: u32 = 4_096;

/// Where passwords, addresses, codes and one-time tokens are tried, or a mail is sent to an address that the caller names. Not
/// refreshing: its tokens can't be guessed, and many people behind one address refresh all the time.
const CREDENTIAL_PATHS: [&str; 10] = [
    "/v1/accounts",
    "/v1/sessions",
    "/v1/password-resets",
    "/v1/email-verifications",
    "/v1/f-codes/check",
    "/v1/coupons/check",
    "/v1/withdrawals",
    "/v1/withdrawals/stop",
    "/v1/renewal-links",
    "/v1/renewal-links/stop",
];

/// Where anybody makes rows, limited as strictly for who isn't signed in. A guest's order needs a basket of its own, so it is
/// limited with it.
const ANONYMOUS_PATHS: [&str; 1] = ["/v1/baskets"];

/// Stripe sends thousands of events from few addresses in a rush, and mail providers send what their customers click (RFC 8058);
/// each is signed, or has a token that nobody guesses.
const UNLIMITED: [&str; 2] = ["/v1/stripe/webhooks", "/v1/unsubscribe"];

/// Requests that wait for each connection to the database before more are turned away: tenths of a second of work. Whoever is
/// answered then would be so late that he has asked again.
const WAITING_PER_CONNECTION: usize = 64;

/// One limit over all addresses.
struct Limiter {
    quota: Quota,
    keyed: RwLock<Arc<DefaultKeyedRateLimiter<IpAddr>>>,
    asked: AtomicU32,
}

impl Limiter {
    fn per_minute(count: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        Self {
            quota,
            keyed: RwLock::new(Arc::new(DefaultKeyedRateLimiter::keyed(quota))),
            asked: AtomicU32::new(0),
        }
    }

    fn current(&self) -> Arc<DefaultKeyedRateLimiter<IpAddr>> {
        Arc::clone(&self.keyed.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long the address has to wait; none when the request may go on.
    fn check(&self, address: IpAddr) -> Option<Duration> {
        let keyed = self.current();
        if self.asked.fetch_add(1, Ordering::Relaxed) % CLEAN_EVERY == CLEAN_EVERY - 1 {
            self.clean(&keyed, MOST_ADDRESSES);
        }
        let refused = keyed.check_key(&address).err()?;
        Some(refused.wait_time_from(DefaultClock::default().now()))
    }

    /// Forgets addresses whose allowance is full again, and all of them where too many are left.
    fn clean(&self, keyed: &DefaultKeyedRateLimiter<IpAddr>, most: usize) {
        keyed.retain_recent();
        keyed.shrink_to_fit();
        if keyed.len() > most {
            let fresh = Arc::new(DefaultKeyedRateLimiter::keyed(self.quota));
            *self.keyed.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }
}

pub struct Limiters {
    all: Limiter,
    credentials: Limiter,
}

impl Limiters {
    pub fn new(limits: &config::Limits) -> Self {
        Self {
            all: Limiter::per_minute(limits.requests_per_minute),
            credentials: Limiter::per_minute(limits.credentials_per_minute),
        }
    }
}

/// The middleware: 429 with Retry-After for who asks too often, 503 where too many wait for the database.
///
/// # Errors
/// Those of what it wraps.
pub async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    match refusal(&request) {
        None => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Some(refused) => Ok(request.into_response(HttpResponse::from_error(refused)).map_into_right_body()),
    }
}

fn refusal(request: &ServiceRequest) -> Option<AppError> {
    let app = request.app_data::<web::Data<App>>()?;
    let path = request.path();
    // The demo's own: its Stripe, which calls and is called from loopback.
    if UNLIMITED.contains(&path) || (app.settings.demo && path.starts_with("/dev/")) {
        return None;
    }
    if let Some(wait) = wait_of(app, request) {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        return Some(Code::TooManyRequests.error().retry_after(seconds.max(1)));
    }
    // What anybody may look at lies in memory, or one asks for all: it goes on.
    let is_for_all = request.method().is_safe() && !request.headers().contains_key(AUTHORIZATION);
    let pool = app.pool.status();
    let is_crowded = pool.waiting > pool.max_size.saturating_mul(WAITING_PER_CONNECTION);
    (is_crowded && !is_for_all).then(AppError::busy)
}

/// How long who asks has to wait; none when the request may go on, and is counted.
pub fn wait_of(app: &App, request: &ServiceRequest) -> Option<Duration> {
    let path = request.path();
    let address = client::address(request.head(), &app.settings.trusted_proxies)?;
    let address = network(address);
    let general = app.limiters.all.check(address);
    let is_signed_in = request.headers().contains_key(AUTHORIZATION);
    if general.is_some() || !is_strict(request.method(), path, is_signed_in) {
        return general;
    }
    app.limiters.credentials.check(address)
}

/// These have the stricter limit as well. The router takes `/v1/%73essions` for `/v1/sessions`, so this has to too.
/// A wrong token gets nobody past it: it is refused.
fn is_strict(method: &Method, path: &str, is_signed_in: bool) -> bool {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let is_anonymous = !is_signed_in && ANONYMOUS_PATHS.contains(&&*path);
    !method.is_safe() && (is_anonymous || CREDENTIAL_PATHS.contains(&&*path))
}

/// An IPv6 customer has a whole /64: its addresses count as one.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_asks_too_often_waits_and_others_do_not() {
        let limiter = Limiter::per_minute(2);
        assert!(limiter.check(ip("127.0.0.1")).is_none());
        assert!(limiter.check(ip("127.0.0.1")).is_none());
        let wait = limiter.check(ip("127.0.0.1")).unwrap();
        assert!(wait > Duration::from_secs(25) && wait <= Duration::from_secs(30), "{wait:?}");
        assert!(limiter.check(ip("127.0.0.2")).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limiter = Limiter::per_minute(2);
        for last in 0..100 {
            limiter.check(IpAddr::from([10, 0, 0, last]));
        }
        let keyed = limiter.current();
        limiter.clean(&keyed, 100);
        assert_eq!(limiter.current().len(), 100);
        limiter.clean(&keyed, 99);
        assert_eq!(limiter.current().len(), 0);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one() {
        assert_eq!(network(ip("2001:db8:1:2:3:4:5:6")), network(ip("2001:db8:1:2::1")));
        assert_ne!(network(ip("2001:db8:1:2::1")), network(ip("2001:db8:1:3::1")));
    }

    #[test]
    fn a_disguised_path_is_known() {
        assert!(is_strict(&Method::POST, "/v1/%73essions", true));
        assert!(!is_strict(&Method::GET, "/v1/sessions", false));
        assert!(!is_strict(&Method::POST, "/v1/sessions/refresh", false));
    }

    #[test]
    fn a_guest_makes_fewer_baskets_than_an_account_may() {
        assert!(is_strict(&Method::POST, "/v1/baskets", false));
        assert!(!is_strict(&Method::POST, "/v1/baskets", true));
    }
}
