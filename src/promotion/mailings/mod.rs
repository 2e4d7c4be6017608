//! Coupons of a campaign for everybody in a segment, each told by mail who accepts news.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
