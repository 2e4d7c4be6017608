//! The tables of the database, generated from the migrations, its views, and which of them appear in one query.

mod joins;
#[rustfmt::skip]
mod tables;
mod views;

pub use tables::*;
pub use views::*;
