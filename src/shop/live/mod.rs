//! Drops as they happen: server-sent events of what is left, what was sold and what time it is.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
pub mod streams;
