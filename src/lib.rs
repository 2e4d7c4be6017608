//! kindred (同好): the backend of a membership shop. Read the modules in this order.

pub mod app;
pub mod audit;
pub mod check;
pub mod checkout;
pub mod config;
pub mod db;
pub mod dev;
pub mod error;
pub mod fields;
pub mod http;
pub mod imports;
pub mod jobs;
pub mod loyalty;
pub mod membership;
pub mod messages;
pub mod people;
pub mod ports;
pub mod promotion;
pub mod shop;
pub mod types;

pub use kindred_schema as schema;
