//! Recruitment drives (招募): one plan sold in a window, to a quota.

pub mod model;
pub mod rules;
