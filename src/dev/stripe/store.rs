//! The simulator's state: tables, what falls due when, and the events that changes cause.
//!
//! One lock guards it all; it is held for microseconds and never over a disk or a socket.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::faults::Faults;
use super::ids;
use super::journal::{Entry, Log};
use super::rows::{
    Cause, Charge, Customer, Delivery, Dispute, Event, Intent, Key, PaymentMethod, Portal, Refund, Row,
    Session, SessionStatus, Snapshot, Status,
};
use super::table::Table;

/// How long Stripe keeps results under their idempotency keys, at least.
const KEY_LIFE: TimeDelta = TimeDelta::hours(24);
/// How long a reordered event waits for one to overtake it.
const HOLD_MAX: TimeDelta = TimeDelta::seconds(5);

/// The events that the endpoint subscribes to unless told otherwise.
const WANTED_EVENTS: [&str; 13] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.closed",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.requires_action",
];

/// What happens by itself when its time comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// An open session (id) expires.
    Expiry(String),
    /// A delayed method's payment of a session (id) succeeds or fails.
    LatePayment(String),
    /// A pending refund (id) succeeds.
    RefundSettles(String),
    /// A late event (id) is sent.
    LateEvent(String),
    /// Held events are sent though nothing overtook them.
    Release,
}

/// How an event is signed, to test the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    Right,
    Wrong,
    Old,
    /// The right one beside one of an unknown secret, as during a rotation.
    BesideAnother,
}

/// An event on its way to the endpoint.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub event: String,
    pub copies: u32,
    pub signature: Signature,
    /// Events that this one overtakes: sent when it has arrived.
    pub then: Vec<Outgoing>,
}

impl Outgoing {
    fn plain(event: &str) -> Self {
        Self { event: event.to_owned(), copies: 1, signature: Signature::Right, then: Vec::new() }
    }
}

/// When and why something happens.
#[derive(Debug, Clone)]
pub struct Moment {
    pub now: DateTime<Utc>,
    pub cause: Option<Cause>,
    /// The endpoint never hears of it (`pay_unseen`); the list of events does.
    pub unseen: bool,
}

impl Moment {
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now, cause: None, unseen: false }
    }
}

/// The webhook endpoint.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    pub url: Option<String>,
    pub secrets: Vec<String>,
    pub wanted: Vec<String>,
}

pub struct Store {
    pub sessions: Table<Session>,
    pub intents: Table<Intent>,
    pub charges: Table<Charge>,
    pub refunds: Table<Refund>,
    pub disputes: Table<Dispute>,
    pub customers: Table<Customer>,
    pub payment_methods: Table<PaymentMethod>,
    pub portals: Table<Portal>,
    pub events: Table<Event>,
    pub keys: Table<Key>,
    /// Idempotency keys whose call is running, with the endpoint.
    pub running: BTreeSet<String>,
    pub due: BTreeSet<(DateTime<Utc>, Due)>,
    pub faults: Faults,
    pub endpoint: Endpoint,
    /// How long a wallet's refund stays pending.
    pub refund_delay: TimeDelta,
    outbox: Vec<Outgoing>,
    held: Vec<Outgoing>,
}

impl Store {
    pub fn new(mut endpoint: Endpoint) -> Self {
        if endpoint.wanted.is_empty() {
            endpoint.wanted = WANTED_EVENTS.map(str::to_owned).to_vec();
        }
        Self {
            sessions: Table::default(),
            intents: Table::default(),
            charges: Table::default(),
            refunds: Table::default(),
            disputes: Table::default(),
            customers: Table::default(),
            payment_methods: Table::default(),
            portals: Table::default(),
            events: Table::default(),
            keys: Table::default(),
            running: BTreeSet::new(),
            due: BTreeSet::new(),
            faults: Faults::default(),
            endpoint,
            refund_delay: TimeDelta::seconds(3),
            outbox: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Records an event and, if the endpoint wants it, sends it, as the injected faults say.
    pub fn emit(&mut self, kind: &str, object: Snapshot, previous: Option<Value>, at: &Moment) {
        let wanted = self.endpoint.url.is_some()
            && self.endpoint.wanted.iter().any(|wanted| super::events::matches(wanted, kind));
        let mut event = Event {
            id: ids::event(),
            created: at.now,
            kind: kind.to_owned(),
            object,
            previous,
            cause: at.cause.clone(),
            delivery: if wanted { Delivery::Pending } else { Delivery::NotWanted },
            deliver_at: None,
        };
        if wanted {
            let plan = self.faults.plan_event(kind);
            let outgoing =
                Outgoing { copies: plan.copies, signature: plan.signature, ..Outgoing::plain(&event.id) };
            if at.unseen || plan.lost {
                event.delivery = Delivery::Withheld;
            } else if let Some(late) = plan.late {
                let deliver_at = at.now + late;
                event.deliver_at = Some(deliver_at);
                self.due.insert((deliver_at, Due::LateEvent(event.id.clone())));
            } else if plan.held {
                self.held.push(outgoing);
                self.due.insert((at.now + HOLD_MAX, Due::Release));
            } else {
                self.send(outgoing);
            }
        }
        self.events.put(event);
    }

    fn send(&mut self, mut outgoing: Outgoing) {
        outgoing.then.append(&mut self.held);
        self.outbox.push(outgoing);
    }

    /// Sends an event again, on request.
    pub fn resend(&mut self, event: &str) {
        self.events.edit(event, |event| event.delivery = Delivery::Pending);
        self.send(Outgoing::plain(event));
    }

    pub fn take_outbox(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outbox)
    }

    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Does what fell due by `now`, in order; true if there was anything.
    pub fn run_due(&mut self, now: DateTime<Utc>) -> bool {
        let mut any = false;
        while let Some((at, _)) = self.due.first()
            && *at <= now
            && let Some((_, due)) = self.due.pop_first()
        {
            any = true;
            let moment = Moment::at(now);
            match due {
                Due::Expiry(session) => self.expire(&session, &moment),
                Due::LatePayment(session) => self.finish_late(&session, &moment),
                Due::RefundSettles(refund) => self.settle_refund(&refund, true, &moment),
                Due::LateEvent(event) => {
                    self.events.edit(&event, |event| event.deliver_at = None);
                    self.send(Outgoing::plain(&event));
                }
                Due::Release => {
                    let mut held = std::mem::take(&mut self.held);
                    self.outbox.append(&mut held);
                }
            }
        }
        any
    }

    /// The result kept under an idempotency key, while it is.
    pub fn kept(&self, key: &str, now: DateTime<Utc>) -> Option<&Arc<Key>> {
        self.keys.get(key).filter(|kept| kept.created + KEY_LIFE > now)
    }

    /// Drops results that are no longer kept, many at a time.
    pub fn prune_keys(&mut self, now: DateTime<Utc>) {
        if self.keys.oldest_first().next().is_some_and(|oldest| oldest.created + KEY_LIFE * 2 <= now) {
            self.keys.retain(|key| key.created + KEY_LIFE > now);
        }
    }

    /// Takes over what a journal held: rows, what falls due, and events that hadn't arrived.
    pub fn replay(&mut self, entries: Vec<Entry>) {
        for Entry { kind, row } in entries {
            let known = restore(&mut self.sessions, &kind, &row)
                || restore(&mut self.intents, &kind, &row)
                || restore(&mut self.charges, &kind, &row)
                || restore(&mut self.refunds, &kind, &row)
                || restore(&mut self.disputes, &kind, &row)
                || restore(&mut self.customers, &kind, &row)
                || restore(&mut self.payment_methods, &kind, &row)
                || restore(&mut self.portals, &kind, &row)
                || restore(&mut self.events, &kind, &row)
                || restore(&mut self.keys, &kind, &row);
            if !known {
                tracing::warn!(kind, "the simulator's journal has a row that this version can't read");
            }
        }
        for session in self.sessions.oldest_first() {
            if session.status == SessionStatus::Open {
                self.due.insert((session.expires_at, Due::Expiry(session.id.clone())));
            }
            if let Some(late) = &session.late {
                self.due.insert((late.at, Due::LatePayment(session.id.clone())));
            }
        }
        for refund in self.refunds.oldest_first() {
            if let (Status::Pending, Some(at)) = (refund.status, refund.settles_at) {
                self.due.insert((at, Due::RefundSettles(refund.id.clone())));
            }
        }
        let pending: Vec<Arc<Event>> = self
            .events
            .oldest_first()
            .filter(|event| event.delivery == Delivery::Pending)
            .map(Arc::clone)
            .collect();
        for event in pending {
            match event.deliver_at {
                Some(at) => drop(self.due.insert((at, Due::LateEvent(event.id.clone())))),
                None => self.send(Outgoing::plain(&event.id)),
            }
        }
    }

    pub fn attach(&mut self, log: &Log) {
        self.sessions.attach(log);
        self.intents.attach(log);
        self.charges.attach(log);
        self.refunds.attach(log);
        self.disputes.attach(log);
        self.customers.attach(log);
        self.payment_methods.attach(log);
        self.portals.attach(log);
        self.events.attach(log);
        self.keys.attach(log);
        log.complete();
    }
}

fn restore<T: Row>(table: &mut Table<T>, kind: &str, row: &Value) -> bool {
    if kind != T::KIND {
        return false;
    }
    match T::deserialize(row) {
        Ok(row) => {
            table.put(row);
            true
        }
        Err(_) => false,
    }
}
