//! Invoices, credit notes and their corrections: what the shop owes its buyers and the tax office in writing.
//!
//! A paid order of which anything was to be paid gets one invoice; each refund of it that went through one credit note.
//! A refund that Stripe takes back afterwards (a failed transfer) gets a correction, which undoes the note: nothing that
//! was issued is changed or deleted. A free order gets none: nothing was charged.
//!
//! Numbers have no gaps, a year of the shop's zone and a kind. One counter for the whole shop would make a rush settle one
//! order after the other; so settling only writes down what is due, and a job issues all that is, set by set.

pub mod content;
pub mod dto;
pub mod font;
pub mod model;
pub mod paper;
pub mod pdf;
pub mod routes;
pub mod rules;
pub mod service;
pub mod sheet;
