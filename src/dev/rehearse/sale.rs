//! What all buyers share: the doors, the word that the sale is over, and the book of what they saw.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::scenario::Scenario;
use super::visit::Visit;
use super::watch::Progress;
use super::{Options, RehearsalError, impossible};
use crate::ports::clock::Clock;

/// Refused buyers look in again that often a second, all together, so that they don't crowd out those who buy.
const LOOKS_PER_SECOND: u32 = 300;
const PAUSE_MIN: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Complaints that are written down; of more the number is kept.
const COMPLAINTS_MAX: usize = 50;

pub struct Sale {
    pub scenario: Scenario,
    pub clock: Clock,
    pub seen: Seen,
    urls: Vec<String>,
    seats: Semaphore,
    progress: watch::Receiver<Progress>,
    /// Refused buyers who mean to come back.
    outside: AtomicU32,
    arrivals: AtomicUsize,
}

impl Sale {
    pub fn new(
        options: &Options,
        scenario: &Scenario,
        urls: Vec<String>,
        clock: Clock,
        progress: watch::Receiver<Progress>,
    ) -> Self {
        let seats = usize::try_from(options.concurrency).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            scenario: scenario.clone(),
            clock,
            seen: Seen::default(),
            urls,
            seats: Semaphore::new(seats.min(Semaphore::MAX_PERMITS)),
            progress,
            outside: AtomicU32::new(0),
            arrivals: AtomicUsize::new(0),
        }
    }

    /// Waits for a seat and comes in, from the buyer's own address.
    ///
    /// # Errors
    /// When no client can be made.
    pub async fn enter(&self, index: u32) -> Result<Visit<'_>, RehearsalError> {
        let seat = self.seats.acquire().await.map_err(|_| impossible("the doors are closed"))?;
        let arrival = self.arrivals.fetch_add(1, Ordering::Relaxed);
        Visit::begin(&self.urls, arrival, address_of(index), &self.seen, seat)
    }

    /// Waits, outside, until it is time to look in again; false when the sale is over meanwhile.
    pub async fn pause(&self) -> bool {
        let outside = self.outside.fetch_add(1, Ordering::Relaxed) + 1;
        let pause = Duration::from_secs((outside / LOOKS_PER_SECOND).into()).clamp(PAUSE_MIN, PAUSE_MAX);
        let pause = pause.mul_f64(rand::random_range(0.75..1.25));
        let goes_on = tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.ended() => false,
        };
        self.outside.fetch_sub(1, Ordering::Relaxed);
        goes_on
    }

    /// Returns when everything is sold and nothing held, or when the doors close.
    pub async fn ended(&self) {
        // An error means that the watch is gone: closed as well.
        let _ = self.progress.clone().wait_for(|now| now.ended).await;
    }
}

/// Each buyer comes from an address of its own, out of the loopback network.
pub fn address_of(index: u32) -> IpAddr {
    let part = |divisor: u32, modulus: u32| u8::try_from((index / divisor) % modulus + 1).unwrap_or(1);
    IpAddr::V4(Ipv4Addr::new(127, part(62_500, 250), part(250, 250), part(1, 250)))
}

/// What the buyers saw, and what they complain about.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Sightings>);

#[derive(Debug, Default)]
pub struct Sightings {
    /// The orders that were answered to each key with 201.
    pub orders_of_key: HashMap<String, BTreeSet<String>>,
    /// Orders that became a membership before the buyer's eyes, with the number on the card.
    pub members: HashMap<String, String>,
    /// Orders of goods that were paid before the buyer's eyes, with who bought.
    pub goods: BTreeMap<String, u32>,
    /// Of those: which he cancelled before they were sent, and which he sent back, with what he had paid.
    pub cancelled: BTreeMap<String, i64>,
    pub returned: BTreeMap<String, i64>,
    pub latencies: Vec<Duration>,
    pub refusals: BTreeMap<String, u64>,
    pub retries: u64,
    pub complaints: Vec<String>,
    pub complaints_count: u64,
    pub first_order_at: Option<Instant>,
    pub last_order_at: Option<Instant>,
}

impl Seen {
    fn with<R>(&self, note: impl FnOnce(&mut Sightings) -> R) -> R {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything so far; the book is empty afterwards.
    pub fn take(&self) -> Sightings {
        self.with(std::mem::take)
    }

    /// A POST of an order was answered for good.
    pub fn answered(&self, asked_at: Instant) {
        let now = Instant::now();
        self.with(|seen| seen.latencies.push(now - asked_at));
    }

    pub fn placed(&self, key: &str, order: &str) {
        let now = Instant::now();
        self.with(|seen| {
            seen.orders_of_key.entry(key.to_owned()).or_default().insert(order.to_owned());
            seen.first_order_at.get_or_insert(now);
            seen.last_order_at = Some(now);
        });
    }

    pub fn refused(&self, code: &str) {
        self.with(|seen| *seen.refusals.entry(code.to_owned()).or_default() += 1);
    }

    pub fn retried(&self) {
        self.with(|seen| seen.retries += 1);
    }

    pub fn became_member(&self, order: &str, number: &str) {
        self.with(|seen| seen.members.insert(order.to_owned(), number.to_owned()));
    }

    pub fn has_goods_coming(&self, order: &str, buyer: u32) {
        self.with(|seen| seen.goods.insert(order.to_owned(), buyer));
    }

    /// Orders of goods that were paid so far, with who bought.
    pub fn goods(&self) -> Vec<(String, u32)> {
        self.with(|seen| seen.goods.iter().map(|(order, buyer)| (order.clone(), *buyer)).collect())
    }

    pub fn cancelled(&self, order: &str, paid_minor: i64) {
        self.with(|seen| seen.cancelled.insert(order.to_owned(), paid_minor));
    }

    pub fn sent_back(&self, order: &str, paid_minor: i64) {
        self.with(|seen| seen.returned.insert(order.to_owned(), paid_minor));
    }

    /// Something that no buyer should meet: the rehearsal can't pass any more.
    pub fn complain(&self, what: &str) {
        tracing::warn!("{what}");
        self.with(|seen| {
            seen.complaints_count += 1;
            if seen.complaints.len() < COMPLAINTS_MAX {
                seen.complaints.push(what.to_owned());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buyers_come_from_addresses_of_their_own() {
        let addresses: BTreeSet<_> = (0..200_000).map(address_of).collect();
        assert_eq!(addresses.len(), 200_000);
        assert!(addresses.iter().all(IpAddr::is_loopback));
        assert!(!addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
