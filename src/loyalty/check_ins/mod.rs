//! 每日打卡: who comes by every day gets points, and more for days in a row.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
