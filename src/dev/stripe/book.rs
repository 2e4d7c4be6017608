//! The simulator's own book, to compare with the shop's to the last minor unit.

use serde::{Deserialize, Serialize};

use super::rows::{Method, SessionStatus, Status};
use super::store::Store;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    pub sessions: Sessions,
    /// Sum of all charges that succeeded.
    pub captured_minor: i64,
    /// Sum of all refunds that succeeded or are pending.
    pub refunded_minor: i64,
    pub refunds_pending_minor: i64,
    pub disputes: Vec<BookedDispute>,
    /// One a session that was paid, and one a charge of a saved card that succeeded.
    pub payments: Vec<BookedPayment>,
    /// Events that the endpoint wanted and never took.
    pub events_undelivered: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    pub open: usize,
    pub complete: usize,
    pub expired: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedDispute {
    pub id: String,
    pub payment_intent: String,
    pub status: String,
    pub amount_minor: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedPayment {
    /// Of the intent's metadata, else the session's.
    pub order_id: Option<String>,
    pub payment_id: Option<String>,
    pub payment_intent: String,
    pub amount_minor: i64,
    pub currency: String,
    pub refunded_minor: i64,
    pub method: Method,
    /// None for a charge of a saved card.
    pub session: Option<String>,
}

impl Store {
    /// The first two sums of [`Self::book`], the one less the other.
    pub fn kept_minor(&self) -> i64 {
        let succeeded = self.charges.oldest_first().filter(|charge| charge.status == Status::Succeeded);
        succeeded.map(|charge| charge.amount - charge.refunded).sum()
    }

    pub fn book(&self) -> Book {
        let mut book = Book::default();
        for session in self.sessions.oldest_first() {
            match session.status {
                SessionStatus::Open => book.sessions.open += 1,
                SessionStatus::Complete => book.sessions.complete += 1,
                SessionStatus::Expired => book.sessions.expired += 1,
            }
        }
        for charge in self.charges.oldest_first().filter(|charge| charge.status == Status::Succeeded) {
            let session = self
                .intents
                .get(&charge.intent)
                .and_then(|intent| self.sessions.get(intent.session.as_ref()?));
            let noted = |key: &str| {
                let on_session = || session.and_then(|session| session.metadata.get(key)).cloned();
                charge.metadata.get(key).cloned().or_else(on_session)
            };
            book.captured_minor += charge.amount;
            book.refunded_minor += charge.refunded;
            book.payments.push(BookedPayment {
                order_id: noted("order_id"),
                payment_id: noted("payment_id"),
                payment_intent: charge.intent.clone(),
                amount_minor: charge.amount,
                currency: charge.currency.clone(),
                refunded_minor: charge.refunded,
                method: charge.method,
                session: session.map(|session| session.id.clone()),
            });
        }
        let pending = self.refunds.oldest_first().filter(|refund| refund.status == Status::Pending);
        book.refunds_pending_minor = pending.map(|refund| refund.amount).sum();
        book.disputes = self
            .disputes
            .oldest_first()
            .map(|dispute| BookedDispute {
                id: dispute.id.clone(),
                payment_intent: dispute.intent.clone(),
                status: dispute.status.clone(),
                amount_minor: dispute.amount,
            })
            .collect();
        let waits =
            |delivery| matches!(delivery, super::rows::Delivery::Pending | super::rows::Delivery::Withheld);
        book.events_undelivered = self.events.oldest_first().filter(|event| waits(event.delivery)).count();
        book
    }
}
