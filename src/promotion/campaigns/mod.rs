//! Coupon campaigns: the rule behind coupons, its limits, and what it came to.

pub mod dto;
pub mod figures;
pub mod model;
pub mod reason;
pub mod routes;
pub mod rules;
pub mod service;
