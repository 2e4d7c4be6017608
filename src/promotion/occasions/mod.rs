//! Coupons on occasions: for who signs up, on birthdays, after the n-th order. Each cause gives one coupon a rule.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
