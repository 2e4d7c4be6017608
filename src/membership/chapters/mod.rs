//! Chapters: local groups with a prefix and a number sequence of their own. One default chapter exists from the start.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
