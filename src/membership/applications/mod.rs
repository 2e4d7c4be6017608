//! Applications to join a drive that looks at who asks.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
