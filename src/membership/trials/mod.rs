//! Trials: some days of a plan for nothing, once a person, that end by themselves.

pub mod dto;
pub mod jobs;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
