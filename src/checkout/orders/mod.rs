//! Orders: priced, placed in batches, paid, cancelled. An order is the only way money moves.

pub mod access;
pub mod appraisal;
pub mod benefits;
pub mod catalog;
pub mod coupons;
pub mod dto;
pub mod facts;
pub mod gifts;
pub mod model;
pub mod offers;
pub mod placer;
pub mod prices;
pub mod proposals;
pub mod quote_dto;
pub mod quotes;
pub mod reader;
pub mod routes;
pub mod rows;
pub mod rules;
pub mod search;
pub mod seen;
pub mod service;
pub mod waiting;
pub mod written;
