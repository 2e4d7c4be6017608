//! Channels: the own mall, a partner's shop, an event. One stock, of which a channel may have units set aside.
//!
//! - The **own mall** sells by orders, from open stock. What it sold isn't reported here: reports read it from the orders.
//! - Another channel **reports what it sold**, each sale once under a reference of its own. A sale takes its units as an order
//!   takes them: of the channel's allocation where it has one of that variant, else of open stock, and it is refused where
//!   there aren't so many. A wrong report is reversed by a counter-entry; nothing is edited.
//! - An **allocation** is a pool: its units leave open stock when they are set aside, so that nobody else sells them, and can
//!   be given back as long as they aren't sold.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
