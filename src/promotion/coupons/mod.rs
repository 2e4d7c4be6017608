//! Coupons: the codes of campaigns, shared or one use each, made one by one or by the million, and what orders made of them.

pub mod attempts;
pub mod code;
pub mod dto;
pub mod issue;
pub mod model;
pub mod routes;
pub mod service;
pub mod uses;
