//! Lists of mails that one may leave, each by itself, with one click (RFC 8058) or in the account's preferences; and
//! addresses to which nothing of any list is sent. What an order or a membership needs is on none.

pub mod dto;
pub mod model;
pub mod routes;
pub mod rules;
pub mod service;
