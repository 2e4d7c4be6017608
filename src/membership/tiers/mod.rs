//! Tiers: paid levels of membership, with their rank and benefits.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
