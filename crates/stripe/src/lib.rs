//! The adapter to Stripe: what kindred asks of it, in kindred's own small types.
//!
//! The client, the building of requests, TLS and connections are async-stripe's. Answers are read here, tolerantly,
//! because its generated types refuse a whole object where one field that we never look at has changed.
//! Nothing here knows of a database, an order's rules or a clock: ids, amounts and times are arguments.
//!
//! Amounts are integer minor units. Currencies are upper-case ISO codes on our side and lower-case on Stripe's.
//! Times are UNIX seconds.

mod answer;
mod client;
mod error;
mod pace;
mod request;
mod types;
pub mod webhook;

pub use client::{Config, Stripe};
pub use error::{CallError, ConfigError};
pub use types::{
    Card, Checkout, CheckoutStatus, Dispute, DisputeStatus, Event, Intent, IntentStatus, Method, NewCharge,
    NewCheckout, NewCustomer, NewRefund, ObjectRef, Page, PaymentStatus, Refund, RefundReason, RefundStatus,
};

/// The kinds of event that kindred acts on: what a webhook endpoint should be subscribed to, and what
/// [`Stripe::events`] asks for (Stripe takes 20 at most). Those of intents are for charges of saved cards: a payment page's
/// intent has them too, and there they say nothing that the page's own don't. Those of charges say nothing more.
pub const EVENT_KINDS: [&str; 13] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.requires_action",
];
