//! The tables of the database, generated from the migrations, and which of them appear in one query.

mod joins;
#[rustfmt::skip]
mod tables;

pub use tables::*;
