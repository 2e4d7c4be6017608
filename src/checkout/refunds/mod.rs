//! Refunds: money that goes back, each with a cause that can happen once. The row is committed before Stripe is called.

pub mod adopted;
pub mod dto;
pub mod expelled;
pub mod jobs;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
