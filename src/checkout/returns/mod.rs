//! Returns: goods that their buyer sends back, from the request to the money.

pub mod admin_routes;
pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
