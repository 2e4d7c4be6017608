//! Orders that their buyers give up: unpaid ones, and paid ones of goods before anything of them is sent.

pub mod model;
pub mod rules;
pub mod service;
