//! Sessions: the places where an account is signed in, kept alive by refresh tokens that rotate.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
