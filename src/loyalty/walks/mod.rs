//! Looking at accounts: at some as soon as something happened to them, at all of them every day.

pub mod model;
pub mod service;
