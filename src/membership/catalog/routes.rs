//! `/v1/tiers` and `/v1/drives`: for everybody, from the snapshot.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse, get, web};

use super::dto::{DriveView, TierView};
use super::service::Ready;
use crate::app::App;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::types::locale::Locale;

#[derive(utoipa::OpenApi)]
#[openapi(paths(tiers, drives, drive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(tiers).service(drives).service(drive);
}

/// Tiers and their plans
#[utoipa::path(
    tag = "tiers",
    responses((status = 200, body = List<TierView>), (status = 304, description = "unchanged since that ETag"))
)]
#[get("/v1/tiers")]
async fn tiers(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let locale = locale_of(&request);
    let snapshot = app.catalog.get(&app).await?;
    Ok(answer(snapshot.tiers(locale), locale, &request))
}

/// Recruitment drives, newest first
#[utoipa::path(
    tag = "drives",
    params(PageQuery),
    responses(
        (status = 200, body = List<DriveView>),
        (status = 304, description = "unchanged since that ETag"),
        (status = 400, body = Problem, description = "invalid_cursor"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/drives")]
async fn drives(
    app: web::Data<App>,
    request: HttpRequest,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let locale = locale_of(&request);
    let page = app.catalog.get(&app).await?.drives(&query, locale)?;
    Ok(answer(&page, locale, &request))
}

/// A recruitment drive, by id or code
#[utoipa::path(
    tag = "drives",
    params(("id" = String, Path, description = "id or code")),
    responses(
        (status = 200, body = DriveView),
        (status = 304, description = "unchanged since that ETag"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/drives/{id}")]
async fn drive(app: web::Data<App>, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse> {
    let locale = locale_of(&request);
    let snapshot = app.catalog.get(&app).await?;
    Ok(answer(snapshot.drive(&path, locale).ok_or(Code::NotFound)?, locale, &request))
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// 304 where the reader has it already (RFC 9110 §13.1.2: weak comparison, a list, or `*`).
fn answer(ready: &Ready, locale: Locale, request: &HttpRequest) -> HttpResponse {
    let known = text(request.headers(), IF_NONE_MATCH);
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let is_known = known.trim() == "*" || known.split(',').any(|tag| opaque(tag) == opaque(&ready.etag));
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, ready.etag.as_str()))
        .insert_header((CACHE_CONTROL, "public, max-age=0, must-revalidate"))
        .insert_header((CONTENT_LANGUAGE, locale.as_str()))
        .insert_header((VARY, "Accept-Language"));
    if is_known {
        response.finish()
    } else {
        response.content_type("application/json").body(ready.body.clone())
    }
}
