//! Invite codes: one of every account's own, made when it is first asked for.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
