//! Points: earned by orders, days, friends and operators' hands, spent at checkout and for coupons, and lost with time.

pub mod admin_routes;
pub mod dto;
pub mod jobs;
pub mod model;
pub mod programme;
pub mod routes;
pub mod rules;
pub mod service;
