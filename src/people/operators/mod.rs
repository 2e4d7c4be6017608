//! Operators: accounts with roles, and what the roles may do.

pub mod rules;
