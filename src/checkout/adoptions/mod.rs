//! What was bought as a guest becomes an account's, once the account has proved the address that it was bought under: when
//! it verifies it, or later with the order's token. The address as it was typed counts (but for capital letters), not the
//! person who might be behind two of them. Its route is that of orders.

pub mod model;
pub mod service;
