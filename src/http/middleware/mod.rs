//! What every request passes on its way in and out.

mod compression;
mod observe;
mod panics;
mod problems;

pub use compression::spare_small;
pub use observe::{RequestId, SignedIn, observe};
pub use panics::catch;
pub use problems::render;

use actix_cors::Cors;
use actix_web::http::Method;

use crate::config::Settings;

/// Browsers of the allowed origins may call, with a bearer token (no cookies), and read the headers that matter.
pub fn cors(settings: &Settings) -> Cors {
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let cors = Cors::default()
        .allowed_methods(methods)
        .allowed_headers([
            "Authorization",
            "Basket-Secret",
            "Content-Type",
            "Idempotency-Key",
            "If-Match",
            "If-None-Match",
            "Last-Event-ID",
            "Order-Token",
            "X-Request-Id",
        ])
        .expose_headers(["ETag", "Location", "Retry-After", "X-Request-Id"])
        .max_age(3_600)
        .block_on_origin_mismatch(false);
    settings.allowed_origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
