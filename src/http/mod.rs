//! HTTP: extractors, middleware, problem rendering, and the routes that belong to no wing.

pub mod auth;
pub mod body;
pub mod idempotency;
pub mod metrics;
pub mod precondition;
pub mod problem;

use actix_web::web;

use crate::app::App;

/// Mounts everything. A wing's rooms mount themselves in their own `configure`.
pub fn configure(config: &mut web::ServiceConfig, _app: &web::Data<App>) {
    config
        .configure(crate::people::configure)
        .configure(crate::membership::configure)
        .configure(crate::checkout::configure);
    config.default_service(web::to(|| async {
        Err::<actix_web::HttpResponse, _>(crate::error::Code::NotFound.error())
    }));
}
