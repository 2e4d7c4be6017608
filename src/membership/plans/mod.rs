//! Plans: what is sold of a tier: a term at a price. Orders keep what they sold, so a change concerns later orders alone.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
