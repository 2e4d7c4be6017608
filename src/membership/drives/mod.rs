//! Recruitment drives (招募): one plan sold in a window, to a quota. What everybody sees of them is served by the catalog.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
