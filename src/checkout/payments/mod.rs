//! Payments: one attempt each to pay an order on Stripe's hosted page. Handlers never call Stripe; jobs do, and settle what
//! Stripe says is so.

pub mod attempts;
pub mod charges;
pub mod delivery;
pub mod disputes;
pub mod events;
pub mod jobs;
pub mod model;
pub mod opening;
pub mod reconcile;
pub mod routes;
pub mod service;
pub mod settler;
pub mod settling;
pub mod webhooks;
