//! Rights: what an account may open, because it bought it or because it belongs: to the members, a tier, a segment.
//!
//! What was bought is a row that its order's line gave. What is opened by belonging is asked live, of the membership and the
//! segments as they are now; there is no row of it, so nothing of it can be out of date.

pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
