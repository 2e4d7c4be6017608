//! API keys: how a storefront's own backend calls the operators' routes, with the same rights model.

pub mod model;
pub mod rules;
