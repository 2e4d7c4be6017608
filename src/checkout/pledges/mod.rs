//! What becomes of a crowdfunded drop's orders and money: pledges follow their orders, the goal is decided, and what was
//! decided is carried out. What a goal is stands in `shop::crowdfunding`.

pub mod jobs;
pub mod service;
