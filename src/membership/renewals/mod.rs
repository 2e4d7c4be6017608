//! How a membership goes on at its end: by the saved card, by a reminder with a link, as another plan, or not at all. What the
//! member has said is here, and when which step is due; the steps themselves are `checkout::renewals`, for they are orders.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
