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
    Checkout, CheckoutStatus, Dispute, DisputeStatus, Event, Method, NewCheckout, NewCustomer, NewRefund,
    ObjectRef, Page, PaymentStatus, Refund, RefundReason, RefundStatus,
};

/// The kinds of event that kindred acts on: what a webhook endpoint should be subscribed to, and what
/// [`Stripe::events`] asks for. Those of intents and charges say nothing that these don't, and each would cost a call.
pub const EVENT_KINDS: [&str; 10] = [
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
];
