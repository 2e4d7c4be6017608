//! Points that orders earn: followed as the order goes on, until nothing of it can be sent back any more.

pub mod service;
