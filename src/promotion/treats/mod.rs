//! Treats: what merchants give to the shop's people. Partner coupons are codes of a merchant's own, handed out here and good
//! in its shop alone; vouchers are taken at its counters, once each, and settled with the shop.

pub mod counter;
pub mod dto;
pub mod import;
pub mod model;
pub mod routes;
pub mod service;
