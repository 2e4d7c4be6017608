//! Accounts: people who signed up.

pub mod model;
pub mod service;
