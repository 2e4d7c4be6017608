//! Operators: accounts with roles, what the roles may do, and what operators do with other people's accounts.

pub mod command;
pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
