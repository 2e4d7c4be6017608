//! Parcels of orders, and by when they are promised.

pub mod dto;
pub mod import;
pub mod import_routes;
pub mod model;
pub mod packing;
pub mod promises;
pub mod routes;
pub mod rules;
pub mod service;
