//! A member of one tier becomes one of a higher tier, by paying the difference: a quote first, then an order with it.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
