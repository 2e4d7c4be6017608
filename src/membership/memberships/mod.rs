//! What an account holds: its membership, the terms that make it up, its number, its card.

pub mod admin_routes;
pub mod card;
pub mod dto;
pub mod ending;
pub mod giving;
pub mod joining;
pub mod model;
pub mod numbers;
pub mod operators;
pub mod reader;
pub mod routes;
pub mod rules;
pub mod service;
pub mod views;
