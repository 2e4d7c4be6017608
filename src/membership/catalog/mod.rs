//! What everybody sees: tiers with their plans, and drives. Served from ready bytes in this process.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
