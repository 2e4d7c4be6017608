//! Store credit: money that the shop owes a member, by a ledger. It pays orders, alone or together with Stripe.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
