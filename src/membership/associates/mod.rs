//! Associates: who belongs by somebody else's membership, the head's, on one of the seats that its plan gives. What an
//! associate may do is never written down: it follows from the head's membership as it is now ([`access`]), so that whatever
//! happens to that happens to its associates at the same moment.

pub mod access;
pub mod admin_routes;
pub mod dto;
pub mod endings;
pub mod jobs;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
