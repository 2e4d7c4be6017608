//! What the shop says to people: mails (later notices).

pub mod mails;
