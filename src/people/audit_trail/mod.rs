//! What operators can read of the audit log ([`crate::audit`]).

pub mod dto;
pub mod model;
pub mod routes;
