//! What is sold of a tier: a term at a price.

pub mod model;
