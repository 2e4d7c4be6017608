//! Organisers of chapters: members who applied and whom an operator approved. They see their chapter's members by number,
//! first letter of the name and tier, and nothing else of them.

pub mod admin_routes;
pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
