//! Applications to join a drive that looks at who asks.

pub mod model;
pub mod rules;
