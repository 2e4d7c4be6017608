//! Memberships: what is sold (tiers, plans), where and to how many (drives, invitations, applications), and what an account
//! holds of it (memberships, their terms, the member's number).

pub mod applications;
pub mod drives;
pub mod invitations;
pub mod memberships;
pub mod plans;
