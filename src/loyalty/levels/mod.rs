//! Levels: earned by what somebody has done, beside the tier that he bought. Up at once; down only by a review, which looks back
//! from its day. What an operator gives, and the floor that a tier sets, stand beside what was earned: the highest counts.

pub mod admin_routes;
pub mod dto;
pub mod judging;
pub mod model;
pub mod reviews;
pub mod routes;
pub mod rules;
pub mod service;
pub mod telling;
