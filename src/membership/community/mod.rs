//! The rules of the community: texts in both languages, version by version. The newest is in force; who orders a plan accepts
//! it with the order, and members are asked to accept a newer one.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
