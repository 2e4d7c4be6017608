//! Pick lists: which orders are fetched from the shelves together, as CSV that comes back filled in as a file of parcels.

pub mod dto;
pub mod model;
pub mod routes;
pub mod service;
mod sheet;
