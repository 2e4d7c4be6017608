//! Parcels of orders, and by when they are promised.

pub mod dto;
pub mod model;
pub mod promises;
pub mod routes;
pub mod rules;
pub mod service;
