//! Gift memberships: a term of a plan, sold as a line of an order to who gives it away, mailed to whom it is for, redeemed into
//! what that one has.

pub mod admin_routes;
pub mod dto;
pub mod jobs;
pub mod model;
pub mod operators;
pub mod routes;
pub mod rules;
pub mod service;
