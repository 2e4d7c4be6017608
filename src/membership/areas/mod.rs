//! Areas: a tree of regions and cities, in which chapters lie.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
