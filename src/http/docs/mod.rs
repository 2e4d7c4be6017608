//! `/docs`: a page to read the API and to try it, with no outside resource.

use std::sync::LazyLock;

use actix_web::{HttpResponse, get, web};
use utoipa::OpenApi;

use super::page::Page;

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    Page::new(include_str!("index.html"), include_str!("style.css"), include_str!("script.js"))
});

#[derive(OpenApi)]
#[openapi(paths(docs))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(docs);
}

/// A page to read and try this API
#[utoipa::path(tag = "platform", responses((status = 200, content_type = "text/html", body = String)))]
#[get("/docs")]
async fn docs() -> HttpResponse {
    PAGE.answer()
}
