//! The ladder 客户, 用户, 粉丝, 朋友: how close somebody is to the shop. The stage is the highest whose criteria hold, as they stand now;
//! each change keeps its date and its reason.

pub mod admin_routes;
pub mod dto;
pub mod model;
pub mod rules;
pub mod service;
