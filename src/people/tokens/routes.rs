//! The published keys.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, get, web};
use utoipa::OpenApi;

use super::keys::KeySet;
use crate::app::App;

#[derive(OpenApi)]
#[openapi(paths(key_set))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(key_set);
}

/// The keys of the access tokens
///
/// A storefront's backend may check access tokens by itself. A new key is here ten minutes before it signs; fetch the set
/// again where a token names a key that isn't in it.
#[utoipa::path(tag = "sessions", responses((status = 200, body = KeySet)))]
#[get("/.well-known/jwks.json")]
async fn key_set(app: web::Data<App>) -> HttpResponse {
    // Shorter than the time a key is published before it signs.
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(app.tokens.ring().public())
}
