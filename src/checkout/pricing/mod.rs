//! Prices: one pure function, which also says why.

pub mod gifts;
pub mod rules;
