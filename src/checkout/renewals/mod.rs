//! Going on after a term, as an order: what is due before and at its end, the saved card that is charged, and the links in mails
//! by which somebody pays, or stops it, without signing in. When a step is due is `membership::renewals`' to say.

pub mod dto;
pub mod jobs;
pub mod model;
pub mod routes;
pub mod service;
