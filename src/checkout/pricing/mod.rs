//! Prices: one pure function, which also says why.

pub mod coupons;
pub mod gifts;
pub mod rules;
