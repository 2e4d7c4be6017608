//! The ports towards the outside: the clock, mail, and (in `crates/stripe`) payments.

pub mod clock;
pub mod mail;
