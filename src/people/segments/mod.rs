//! Segments: people that prices, drops, rights, coupons and notices are for. And the tags by which operators call people.

mod condition;
pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
