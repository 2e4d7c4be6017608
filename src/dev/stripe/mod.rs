//! A simulator of Stripe: what kindred calls of it, stateful, with its hosted payment page, its signed webhooks and
//! its failures, so that development, tests and rehearsals need neither the internet nor an account.
//!
//! It is made to fit Stripe, not kindred: it shares no code with `crates/stripe`, Stripe's own SDKs drive it in
//! `tests/stripe`, and its objects are compared there with Stripe's descriptions. It refuses live keys.
//!
//! Reading order: `rows` (what it remembers), `store` (state, due times, events), `payments`, `refunds`, `checkout`,
//! `off_session`, `cards` (what happens), `operation` and `gate` (the API), `page` and `portal` (the hosted pages), `courier` (webhooks), `faults` and
//! `control` (what goes wrong on request), `journal` (the demo's memory).

mod amount;
mod book;
mod cards;
mod checkout;
mod control;
mod courier;
mod error;
mod events;
mod expand;
mod faults;
mod form;
mod gate;
mod ids;
mod journal;
mod lines;
mod list;
mod off_session;
mod operation;
mod page;
mod payments;
mod portal;
mod refunds;
mod rows;
mod server;
mod store;
mod table;
mod view;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use actix_web::web;
use chrono::{DateTime, TimeDelta, Utc};

use crate::ports::clock::Clock;

pub use book::{Book, BookedDispute, BookedPayment};
pub use courier::sign;
pub use faults::{Chaos, Fault, FaultKind};
pub use gate::Recorded;
pub use rows::Method;
pub use server::Running;

use courier::Courier;
use gate::Pace;
use journal::Log;
use rows::{Behaviour, Outcome, PaymentMethod};
use store::{Endpoint, Moment, Store};

/// The version of Stripe's API that the simulator answers as.
pub const API_VERSION: &str = "2026-09-30.endive";
/// The release that the version belongs to: later versions of it only add.
const API_RELEASE: &str = ".endive";

/// How often the simulator looks whether something fell due by the clock.
const TICK: Duration = Duration::from_millis(100);
/// How many calls it remembers for judges.
const RECORDED_MAX: usize = 10_000;
/// How long [`Simulator::run_due`] waits for webhooks to arrive.
const DELIVERY_PATIENCE: Duration = Duration::from_secs(10);
const BODY_BYTES_MAX: usize = 1 << 20;

/// How to run a simulator.
#[derive(Clone)]
pub struct Settings {
    /// What sessions, late payments and signatures go by.
    pub clock: Clock,
    /// The key that callers must send; never a live one.
    pub secret_key: String,
    /// Where webhooks go; none: nowhere.
    pub webhook_url: Option<String>,
    /// Each signs every webhook: two during a rotation.
    pub webhook_secrets: Vec<String>,
    /// The address under which the buyer's browser finds the simulator, without a slash at the end.
    pub public_base: String,
    /// Reads a second, and writes a second, beyond which callers get 429; none: no limit.
    pub rate_per_second: Option<u32>,
    /// A file that keeps the state over restarts.
    pub journal: Option<PathBuf>,
    /// Methods enabled for the account (`card`, `wechat_pay`, `alipay`), in the order shown; empty: all three.
    pub enabled_methods: Vec<String>,
}

impl Settings {
    /// A simulator without webhooks, limit or journal, with all methods.
    pub fn new(clock: Clock, secret_key: &str) -> Self {
        Self {
            clock,
            secret_key: secret_key.to_owned(),
            webhook_url: None,
            webhook_secrets: Vec::new(),
            public_base: String::new(),
            rate_per_second: None,
            journal: None,
            enabled_methods: Vec::new(),
        }
    }
}

/// Why a simulator doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the Stripe simulator refuses to run beside a live key")]
    LiveKey,
    #[error("the Stripe simulator doesn't know the payment method {0}")]
    UnknownMethod(String),
    #[error("the Stripe simulator must be started inside a tokio runtime")]
    NoRuntime,
    #[error("the Stripe simulator can't use its files or sockets")]
    Io(#[from] std::io::Error),
}

fn is_live(key: &str) -> bool {
    key.starts_with("sk_live_") || key.starts_with("rk_live_")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A handle to one simulated Stripe account; clones share it.
#[derive(Clone)]
pub struct Simulator {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    secret_key: String,
    methods: Vec<Method>,
    public_base: RwLock<String>,
    reads: Pace,
    writes: Pace,
    store: Mutex<Store>,
    courier: Courier,
    requests: Mutex<VecDeque<Recorded>>,
    log: Option<Log>,
}

impl Inner {
    /// One step of the state: what fell due first, then `work`, then the events of both are sent off.
    fn step<R>(&self, work: impl FnOnce(&mut Store, DateTime<Utc>) -> R) -> R {
        let mut store = lock(&self.store);
        let now = self.clock.now();
        store.run_due(now);
        let result = work(&mut store, now);
        for outgoing in store.take_outbox() {
            self.courier.post(outgoing);
        }
        drop(store);
        // Nobody is told of what a restart would have forgotten.
        if let Some(log) = &self.log {
            log.flush();
        }
        result
    }

    fn public_base(&self) -> String {
        self.public_base.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, call: Recorded) {
        let mut requests = lock(&self.requests);
        if requests.len() >= RECORDED_MAX {
            requests.pop_front();
        }
        requests.push_back(call);
    }
}

impl Simulator {
    /// Starts a simulator: reads its journal, if any, and starts its deliveries and its clock in the current runtime.
    /// They end with the last handle.
    pub fn start(settings: Settings) -> Result<Self, Error> {
        if is_live(&settings.secret_key) {
            return Err(Error::LiveKey);
        }
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let methods = settings
            .enabled_methods
            .iter()
            .map(|name| Method::parse(name).ok_or_else(|| Error::UnknownMethod(name.clone())))
            .collect::<Result<Vec<_>, _>>()?;
        let mut store = Store::new(Endpoint {
            url: settings.webhook_url,
            secrets: settings.webhook_secrets,
            wanted: Vec::new(),
        });
        let log = match &settings.journal {
            None => None,
            Some(path) => {
                store.replay(journal::read(path)?);
                store.prune_keys(settings.clock.now());
                let log = Log::open(path)?;
                store.attach(&log);
                Some(log)
            }
        };
        let (courier, deliveries) = Courier::new();
        let inner = Arc::new(Inner {
            clock: settings.clock,
            secret_key: settings.secret_key,
            methods: if methods.is_empty() { Method::ALL.to_vec() } else { methods },
            public_base: RwLock::new(settings.public_base.trim_end_matches('/').to_owned()),
            reads: Pace::new(settings.rate_per_second),
            writes: Pace::new(settings.rate_per_second),
            store: Mutex::new(store),
            courier,
            requests: Mutex::default(),
            log,
        });
        runtime.spawn(courier::deliver_all(deliveries, Arc::downgrade(&inner)));
        runtime.spawn(tick(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// A simulator with a server of its own, for tests and rehearsals.
    pub fn listen(settings: Settings, listener: std::net::TcpListener) -> Result<Running, Error> {
        server::listen(settings, listener)
    }

    /// Mounts the API (`/v1`), the payment pages (`/pay`), the portal (`/portal`) and the control (`/_sim`) at the current scope.
    pub fn configure(&self, service: &mut web::ServiceConfig) {
        service
            .app_data(web::Data::new(self.clone()))
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .route("/v1/{tail:.*}", web::route().to(gate::api))
            .route("/pay/{session}", web::get().to(page::show))
            .route("/pay/{session}", web::post().to(page::submit))
            .route("/portal/{id}", web::get().to(portal::show))
            .route("/portal/{id}", web::post().to(portal::submit))
            .configure(control::configure);
    }

    /// When the next thing happens by itself, by the clock.
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        lock(&self.inner.store).next_due()
    }

    /// Does what is due by the clock now, then waits until the webhooks that are on their way have arrived; false if
    /// some had not within ten seconds (they are tried again in the background).
    pub async fn run_due(&self) -> bool {
        self.inner.step(|_, _| ());
        self.inner.courier.idle(DELIVERY_PATIENCE).await
    }

    /// Where webhooks go from now on.
    pub fn set_webhook_url(&self, url: Option<String>) {
        lock(&self.inner.store).endpoint.url = url;
    }

    /// What signs webhooks from now on: the new secret and the old one during a rotation.
    pub fn set_webhook_secrets(&self, secrets: Vec<String>) {
        lock(&self.inner.store).endpoint.secrets = secrets;
    }

    /// The types of events that the endpoint wants, such as `checkout.session.completed` or `charge.*`.
    pub fn set_webhook_events(&self, kinds: Vec<String>) {
        lock(&self.inner.store).endpoint.wanted = kinds;
    }

    /// How long refunds to wallets stay pending, by the clock.
    pub fn set_refund_delay(&self, delay: TimeDelta) {
        lock(&self.inner.store).refund_delay = delay;
    }

    /// The address of the simulator for the buyer's browser.
    pub fn set_public_base(&self, base: &str) {
        let mut place = self.inner.public_base.write().unwrap_or_else(PoisonError::into_inner);
        base.trim_end_matches('/').clone_into(&mut place);
    }

    /// Queues a fault.
    pub fn inject(&self, fault: Fault) {
        lock(&self.inner.store).faults.add(fault);
    }

    /// Forgets queued faults and chance.
    pub fn clear_faults(&self) {
        lock(&self.inner.store).faults.clear();
    }

    /// From now on things go wrong by chance.
    pub fn set_chaos(&self, chaos: Chaos) {
        lock(&self.inner.store).faults.set_chaos(chaos);
    }

    /// The buyer's bank disputes the payment of an intent; the dispute's id, or why not.
    pub fn open_dispute(&self, payment_intent: &str, reason: &str) -> Result<String, String> {
        self.inner.step(|store, now| store.open_dispute(payment_intent, reason, &Moment::at(now)))
    }

    /// The bank decides a dispute: `won`, `lost` or `warning_closed`.
    pub fn close_dispute(&self, dispute: &str, status: &str) -> Result<(), String> {
        self.inner.step(|store, now| store.close_dispute(dispute, status, &Moment::at(now)))
    }

    /// A refund succeeds now, or fails (also one that had succeeded).
    pub fn settle_refund(&self, refund: &str, succeeds: bool) -> Result<(), String> {
        self.inner.step(|store, now| {
            store.refunds.get(refund).ok_or("no such refund")?;
            store.settle_refund(refund, succeeds, &Moment::at(now));
            Ok(())
        })
    }

    /// What becomes of the next charges of a saved card, or of each card that a customer has saved: `ok`, `decline`,
    /// `insufficient_funds`, `expired_card`, `authentication_required` or `processing_error`; with `times` only of so
    /// many, and then `ok` again.
    pub fn set_card(&self, customer_or_pm: &str, behaviour: &str, times: Option<u32>) -> Result<(), String> {
        let outcome = Outcome::parse(behaviour).ok_or("no such behaviour")?;
        let behaviour = Behaviour { outcome, times };
        self.edit_cards(customer_or_pm, |card| card.behaviour = behaviour.clone())
    }

    /// When a saved card ends, or each card that a customer has saved; a card is refused after its month.
    pub fn set_card_expiry(&self, customer_or_pm: &str, month: i64, year: i64) -> Result<(), String> {
        if !cards::is_expiry(month, year) {
            return Err("an expiry is a month from 1 to 12 and a year of four digits".to_owned());
        }
        self.edit_cards(customer_or_pm, |method| {
            (method.card.exp_month, method.card.exp_year) = (month, year);
        })
    }

    /// Takes every saved card off a customer, as he does on the portal.
    pub fn detach_cards(&self, customer: &str) {
        self.inner.step(|store, now| {
            for card in store.cards(customer) {
                // They were his a moment ago, under the same lock.
                let _ = store.detach_card(&card.id, &Moment::at(now));
            }
        });
    }

    fn edit_cards(&self, customer_or_pm: &str, change: impl Fn(&mut PaymentMethod)) -> Result<(), String> {
        self.inner.step(|store, _| store.edit_cards(customer_or_pm, change))
    }

    /// Sends an event again (or at last); false if there is none of this id.
    pub fn resend(&self, event: &str) -> bool {
        self.inner.step(|store, _| {
            let known = store.events.get(event).is_some();
            if known {
                store.resend(event);
            }
            known
        })
    }

    /// What the simulator booked.
    pub fn book(&self) -> Book {
        lock(&self.inner.store).book()
    }

    /// What was captured and not refunded, in minor units.
    pub fn kept_minor(&self) -> i64 {
        lock(&self.inner.store).kept_minor()
    }

    /// The last calls of the API, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.inner.requests).iter().cloned().collect()
    }

    pub fn forget_requests(&self) {
        lock(&self.inner.requests).clear();
    }
}

async fn tick(inner: Weak<Inner>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        interval.tick().await;
        match inner.upgrade() {
            Some(inner) => inner.step(Store::prune_keys),
            None => return,
        }
    }
}
