//! Upgrade offers: another price of a plan for members of a lower tier, for whoever reaches their criteria.
//! They stand at quotes and are told by mail; quota and budget are pools, and a person uses one once. An offer
//! changes the price of a quote, never its arithmetic (`membership/upgrades`); what orders hold of it is
//! claimed by `checkout/orders`.

pub mod admin_routes;
pub mod dto;
pub mod jobs;
pub mod model;
pub mod operators;
pub mod routes;
pub mod rules;
pub mod service;
pub mod uses;
