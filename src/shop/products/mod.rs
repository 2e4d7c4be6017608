//! Products: goods and digital goods in variants, bundles of them, and what they cost whom.

pub mod admin_routes;
pub mod articles;
pub mod dto;
pub mod import;
pub mod model;
pub mod prices;
pub mod related;
pub mod routes;
pub mod rules;
pub mod search;
pub mod service;
