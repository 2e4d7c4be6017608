//! API keys: how a storefront's own backend calls the operators' routes, with the same rights model.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
