//! The API tests: one binary, a file a feature.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout
)]

mod private_postgres;
mod stripe_simulator;
