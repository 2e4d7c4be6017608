//! What development and proof need and production never reaches: it refuses to run beside a live key.

pub mod bench;
pub mod capacity;
pub mod demo;
pub mod rehearse;
pub mod stripe;
