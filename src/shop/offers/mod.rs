//! Offers: more in the pack ("buy two kiwis, get a tea") and, at checkout, a better thing instead of another one for a
//! fixed supplement. What they take off is decided by the one function that prices (checkout/pricing).

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
