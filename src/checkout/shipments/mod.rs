//! Parcels of orders.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
