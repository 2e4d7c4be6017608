//! Gift cards: sold as lines of orders or given out by operators, mailed to whom they are for, redeemed into store credit.

pub mod admin_routes;
pub mod dto;
pub mod jobs;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
