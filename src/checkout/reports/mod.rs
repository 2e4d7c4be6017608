//! Reports: what was sold, by day, channel and article, read from the rows that the money itself is in.

pub mod csv;
pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
