//! Referrals: who brought whom, and what both get for it once the friend's first paid order can't go back any more. One
//! level: a referral names an inviter and a friend, and nothing follows from one to the next.

pub mod admin_routes;
pub mod dto;
pub mod figures;
pub mod model;
pub mod payout;
pub mod programme;
pub mod routes;
pub mod rules;
pub mod service;
