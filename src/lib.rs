//! kindred (同好): the backend of a membership shop. Read the modules in this order.

pub mod ports;
