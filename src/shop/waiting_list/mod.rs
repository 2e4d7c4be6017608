//! Waiting lists: who came too late for an article of a drop is offered what comes back, in order, with a deadline. An
//! offer is an F-code of his own, so its unit is set aside for him; until a unit is offered, nobody else may have it
//! ([`rules::reserved`]).

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
