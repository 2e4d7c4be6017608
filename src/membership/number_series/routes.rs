//! `/v1/admin/number-series`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{GiveNumber, NewSeries, NumberView, SeriesChange, SeriesView};
use super::model::Series;
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::NumberSeriesId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive, give, numbers))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(archive);
    config.service(give).service(numbers);
}

/// Make a number series
#[utoipa::path(
    tag = "admin: chapters",
    request_body = NewSeries,
    security(("bearer" = [])),
    responses(
        (status = 201, body = SeriesView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/number-series")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewSeries>,
) -> Result<HttpResponse> {
    let series = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/number-series/{}", series.id)))
        .insert_header(etag(series.version))
        .json(SeriesView::from(series)))
}

/// All number series, archived ones too
#[utoipa::path(
    tag = "admin: chapters",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<SeriesView>))
)]
#[get("/v1/admin/number-series")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |series| series.id.0).map(SeriesView::from)))
}

/// A number series
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = NumberSeriesId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = SeriesView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/number-series/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = id(&path)?;
    let series = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(answer(series.ok_or(Code::NotFound)?))
}

/// Change a number series
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = NumberSeriesId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = SeriesChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = SeriesView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/number-series/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<SeriesChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, id(&path)?, seen, body).await?))
}

/// End a number series
///
/// No more numbers of it are given.
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = NumberSeriesId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = SeriesView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/number-series/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::archive(&app, staff.actor, id(&path)?).await?))
}

/// Give an account the next number of a series
///
/// Once an account and series; the account must be tagged with the role of the series.
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = NumberSeriesId, Path)),
    request_body = GiveNumber,
    security(("bearer" = [])),
    responses(
        (status = 201, body = NumberView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "number_given, role_missing, closed"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/number-series/{id}/numbers")]
async fn give(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<GiveNumber>,
) -> Result<HttpResponse> {
    let number = service::give(&app, staff.actor, id(&path)?, body.account).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/members/{}", number.number)))
        .json(NumberView::from(number)))
}

/// The numbers of a series, the last one first
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = NumberSeriesId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<NumberView>), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/number-series/{id}/numbers")]
async fn numbers(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let id = id(&path)?;
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    model::find(&mut conn, id).await?.ok_or(Code::NotFound)?;
    let rows = model::numbers(&mut conn, id, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, model::place).map(NumberView::from)))
}

fn id(path: &str) -> Result<NumberSeriesId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(series: Series) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(series.version)).json(SeriesView::from(series))
}
