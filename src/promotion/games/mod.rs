//! Games: a claim is a weighted chance, drawn from a seed that was committed to before anybody played, so that anybody can
//! recompute every play when it is over.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
