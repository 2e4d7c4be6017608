//! Measures against members who broke the rules of the community: a warning, a suspension for some days, an expulsion. Each
//! cites the rule and gives a reason, is told by mail, and can be appealed against once.

pub mod admin_routes;
pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
