//! Stock: what came in and went out otherwise than by a sale. A variant's pool has the capacity that its moves add up to;
//! what is sold is claimed.

pub mod model;
pub mod routes;
pub mod service;
