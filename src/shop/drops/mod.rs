//! Drops: limited sales in a window, for audiences, with a cap a person and F-codes.

pub mod admin_routes;
pub mod dto;
pub mod f_codes;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
