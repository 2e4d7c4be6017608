//! Invitations to a drive: a code for several uses, or a place reserved for an address.

pub mod model;
pub mod rules;
