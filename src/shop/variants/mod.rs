//! Variants of a product and their other prices, as operators work on them. What they are is in `products`.

pub mod dto;
pub mod routes;
pub mod service;
