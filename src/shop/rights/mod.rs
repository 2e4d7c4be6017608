//! Rights: what an account may open because it bought it.

pub mod model;
pub mod routes;
pub mod service;
