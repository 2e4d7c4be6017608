//! Benefits: what a tier gives its members, so much a period. Some are words for programs and people (a service channel), some
//! are used: a coupon is claimed (`promotion::perks`), an article and free shipping come with an order
//! (`checkout::orders::benefits`), a service is entered by who gives it. Each use is a row, under the lock of its account.

pub mod admin_routes;
pub mod dto;
pub mod model;
pub mod own;
pub mod routes;
pub mod rules;
pub mod service;
pub mod uses;
