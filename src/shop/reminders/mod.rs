//! "Mail me at the start": who wants to hear when an announced product can be bought.

pub mod model;
pub mod routes;
pub mod service;
