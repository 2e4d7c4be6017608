//! Red packets: an amount that is split among the first who come; and chains, in which who opens one may start the next.

pub mod chains;
pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
