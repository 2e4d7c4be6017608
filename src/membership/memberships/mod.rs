//! What an account holds: its membership, the terms that make it up, its number.

pub mod model;
pub mod rules;
pub mod service;
