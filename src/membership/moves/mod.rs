//! In which chapter an account is: choosing one before the first activation, whose sequence then gives the number, and
//! moving to another one later, which keeps the number.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
