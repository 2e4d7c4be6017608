//! Drops: limited sales in a window, for audiences, with a cap a person and F-codes.

pub mod admin_routes;
pub mod dto;
pub mod f_codes;
pub mod f_codes_csv;
pub mod guests;
pub mod items;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
