//! Crowdfunding: a drop with a goal. Who buys in it pays at once; when its window is over and the goal is missed, by one
//! unit already, everybody has everything back.
//!
//! - **What counts**: a pledge, which is a line of the drop, counts from the moment its order is settled until it is refunded
//!   in full; a goal in money counts what is left of its price, without shipping. A pledge stands alone in its order, so
//!   that giving it back gives the order back.
//! - **When it is decided**: once, after the end, when no hold of the drop is open any more: who ordered in time and is still
//!   paying counts if he pays. Holds are waited for at most [`rules::HOLDS_END_WITHIN`]; whoever pays after the decision is
//!   treated by it: kept where the goal was reached, sent back where it was missed.
//! - **In what time**: everything that must be refunded is within [`rules::REFUNDED_WITHIN`] of the first order, which bounds
//!   the window.
//! - **Parcels** wait until the goal is reached.
//!
//! Here are the goals, the pledges and who is named; what the decision does to orders and money is in `checkout::pledges`.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
