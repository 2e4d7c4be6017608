//! Proof that an address is the account's: after sign-up, and before a new one takes the old one's place.

pub mod routes;
pub mod service;
