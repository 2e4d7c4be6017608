//! Invitations to a drive: a code for several uses, or a place reserved for an address.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
