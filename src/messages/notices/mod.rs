//! Notices: announcements to the members of a tier or a chapter, or to a segment. Drafted, tested, scheduled, sent part by part.

pub mod dto;
pub mod model;
pub mod recipients;
pub mod routes;
pub mod rules;
pub mod sending;
pub mod service;
