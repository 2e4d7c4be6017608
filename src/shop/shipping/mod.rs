//! Shipping: methods and what they cost, parcels that went out.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
