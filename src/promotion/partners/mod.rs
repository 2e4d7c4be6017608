//! Partners: people outside the shop who bring buyers by codes of their own and get a part of what these buy (获得分成). A
//! commission is a list of entries that is only ever added to; what can't go back any more is paid out.

pub mod commission_routes;
pub mod dto;
pub mod entries;
pub mod model;
pub mod payouts;
pub mod routes;
pub mod rules;
pub mod service;
