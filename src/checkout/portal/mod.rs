//! Stripe's page on which members look after their saved cards. Its address is asked for by a job; who asks, waits for it.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
