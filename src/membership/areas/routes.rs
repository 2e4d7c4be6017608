//! `/v1/admin/areas`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, patch, post, web};

use super::dto::{AreaChange, AreaView, NewArea};
use super::model::Area;
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::AreaId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, remove))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(remove);
}

/// Make an area
#[utoipa::path(
    tag = "admin: chapters",
    request_body = NewArea,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AreaView),
        (status = 409, body = Problem, description = "code_taken, area_too_deep"),
        (status = 422, body = Problem, description = "invalid_field, unknown_area"),
    )
)]
#[post("/v1/admin/areas")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewArea>,
) -> Result<HttpResponse> {
    let area = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/areas/{}", area.id)))
        .insert_header(etag(area.version))
        .json(AreaView::from(area)))
}

/// All areas, by code
#[utoipa::path(
    tag = "admin: chapters",
    security(("bearer" = [])),
    responses((status = 200, body = List<AreaView>))
)]
#[get("/v1/admin/areas")]
async fn list(app: web::Data<App>, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let rows = model::all(&mut *db::connect(&app.pool).await?).await?;
    Ok(HttpResponse::Ok().json(List::whole(rows).map(AreaView::from)))
}

/// An area
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = AreaId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AreaView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/areas/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = id(&path)?;
    let area = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(answer(area.ok_or(Code::NotFound)?))
}

/// Rename an area, or put it elsewhere
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = AreaId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = AreaChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AreaView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "area_cycle, area_too_deep"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, unknown_area"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/areas/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<AreaChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, id(&path)?, seen, body).await?))
}

/// Delete an area in which nothing lies
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = AreaId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "in_use"),
    )
)]
#[delete("/v1/admin/areas/{id}")]
async fn remove(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    service::delete(&app, staff.actor, id(&path)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn id(path: &str) -> Result<AreaId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(area: Area) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(area.version)).json(AreaView::from(area))
}
