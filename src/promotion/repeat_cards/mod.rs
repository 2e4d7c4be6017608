//! One card, many people: uses of a coupon beyond what one person may, told by the card that paid. The card is known only
//! after the payment, so the order stands, and an operator decides, or the campaign's rule sends the money back.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
