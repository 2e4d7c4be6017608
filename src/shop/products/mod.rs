//! Products: goods and digital goods in variants, bundles of them, and what they cost whom.

pub mod admin_routes;
pub mod articles;
pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod search;
pub mod service;
