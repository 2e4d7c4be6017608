//! Sales boards: what a drop has sold so far, and the milestones that it reached. Sales are entered into a ledger when they
//! are settled; what is refunded later was sold all the same, and a milestone stays reached.

pub mod dto;
pub mod model;
pub mod rules;
pub mod service;
