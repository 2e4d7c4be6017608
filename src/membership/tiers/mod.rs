//! Tiers: paid levels of membership, with their rank.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
