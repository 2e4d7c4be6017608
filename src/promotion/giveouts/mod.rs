//! Give-outs: coupons for whoever comes first, so many a round.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
