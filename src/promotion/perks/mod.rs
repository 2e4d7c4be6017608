//! Perks: coupons that a tier gives its members, so many a period, each for who claims it.

pub mod routes;
pub mod service;
