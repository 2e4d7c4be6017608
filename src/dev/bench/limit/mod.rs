//! The limit: what PostgreSQL takes for the same rows, written by hand set by set, 256 orders a transaction, on one
//! connection, with nothing decided, priced or answered. This folder is all of its SQL, tuned as hard as kindred's own:
//! prepared statements, arrays by UNNEST, whatever doesn't wait for anything sent together.
//!
//! Each row is a copy of one that kindred wrote (the pattern), with its own ids, so that both sides write the same columns
//! with the same values. A test compares what each side adds to every table.

pub mod issuing;
pub mod placing;
pub mod settling;

/// Orders a transaction.
pub const BATCH: usize = 256;
