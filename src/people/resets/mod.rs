//! A new password for somebody who lost the old one, by a mail to the account's address.

pub mod routes;
pub mod service;
