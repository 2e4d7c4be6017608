//! Baskets: what somebody means to buy, with the price that it has for him and what has changed since he put it in. They
//! hold nothing: places and goods are held by orders. They lie in this wing because their lines are an order's, judged
//! and priced by an order's rules.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
