//! The shop's terms of sale, version by version. Buyers accept one by its name; the order keeps which.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
