//! `/v1/tiers` and `/v1/drives`: for everybody, from the snapshot.

use actix_web::{HttpRequest, HttpResponse, get, web};

use super::dto::{DriveView, TierView};
use crate::app::App;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::language::locale_of;
use crate::http::problem::Problem;

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
    Ok(snapshot.tiers(locale).answer(locale, &request))
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
    Ok(page.answer(locale, &request))
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
    Ok(snapshot.drive(&path, locale).ok_or(Code::NotFound)?.answer(locale, &request))
}
