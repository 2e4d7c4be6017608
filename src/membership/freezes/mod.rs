//! A member lets the membership rest for a while, some days a year at most: it gives no access, and its end moves by as much.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
