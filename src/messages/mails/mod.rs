//! Mails: rows of an outbox, written in the transaction that caused them, sent by jobs, seen and resent by operators.
//!
//! A feature calls [`queue`] with a cause of its own (`welcome:mem_…`): the same cause never mails twice. After the
//! commit, `app.jobs.wake(Lane::Mail)`.

pub mod dto;
pub mod mail;
pub mod model;
pub mod render;
pub mod routes;
pub mod send;
pub mod service;

pub use mail::{LowItem, Mail, MissingFigure, ReceiptLine};
pub use model::{Recipient, queue, queue_all, queue_in};
pub use send::Postbox;
