//! A member of one tier becomes one of a higher tier, by paying the difference: a quote first, then an order
//! with it. Quotes are asked for in `loyalty/offers`, which knows by what offers they may cost less.

pub mod model;
pub mod rules;
pub mod service;
