//! Accounts: people who signed up.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
