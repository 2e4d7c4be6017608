//! Orders that came by an invitation: what a code counts for when it is typed, and what becomes of a referral as its order
//! goes on. Here because checkout knows orders; what a referral is, and what it gives, is `promotion`'s.

pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
