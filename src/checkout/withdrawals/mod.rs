//! Withdrawals: a buyer's declaration that he withdraws from an order (Directive 2011/83/EU, articles 9 to 11a), made without
//! signing in. It opens a case that operators decide; money moves by a refund of theirs, never by the declaration.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
