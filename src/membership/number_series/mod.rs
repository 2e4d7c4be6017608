//! Number series: numbers by role (`LS0001` for a teacher), with a prefix and a sequence of their own. An operator gives one
//! to an account that has the role, which is a tag of it; the account has it beside its member number, for ever.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
