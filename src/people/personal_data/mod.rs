//! The two rights that a person has over the own data: to have all of it (GDPR article 15 and 20, PIPL article 45) and to
//! have it erased (GDPR article 17, PIPL article 47).

pub mod model;
pub mod routes;
pub mod service;
