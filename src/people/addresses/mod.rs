//! The address book of an account: where its parcels may go. One of its addresses is the default, as soon as there is one.
//! An order keeps a copy of the address that it goes to, so that a change here changes no order.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
