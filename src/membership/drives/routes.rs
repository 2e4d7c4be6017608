//! `/v1/admin/drives`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{DriveChange, DriveFilter, DriveView, NewDrive};
use super::model::Drive;
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::DriveId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(archive);
}

/// Make a drive
#[utoipa::path(
    tag = "admin: catalog",
    request_body = NewDrive,
    security(("bearer" = [])),
    responses(
        (status = 201, body = DriveView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, unknown_plan"),
    )
)]
#[post("/v1/admin/drives")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewDrive>,
) -> Result<HttpResponse> {
    let drive = service::create(&app, staff.actor, &body).await?;
    let location = format!("/v1/admin/drives/{}", drive.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header(etag(drive.version))
        .json(DriveView::new(drive, app.clock.now())))
}

/// All drives, archived ones too
#[utoipa::path(
    tag = "admin: catalog",
    params(PageQuery, DriveFilter),
    security(("bearer" = [])),
    responses((status = 200, body = List<DriveView>))
)]
#[get("/v1/admin/drives")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
    filter: web::Query<DriveFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::list(&mut conn, filter.series.as_deref(), page).await?;
    let now = app.clock.now();
    let list = List::cut(rows, page, |drive| drive.id.0).map(|drive| DriveView::new(drive, now));
    Ok(HttpResponse::Ok().json(list))
}

/// A drive
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = DriveId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = DriveView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/drives/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = id(&path)?;
    let drive = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(answer(&app, drive.ok_or(Code::NotFound)?))
}

/// Change a drive
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = DriveId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = DriveChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = DriveView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "quota_below_claims"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/drives/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<DriveChange>,
) -> Result<HttpResponse> {
    Ok(answer(&app, service::change(&app, staff.actor, id(&path)?, seen, body).await?))
}

/// Close and hide a drive
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = DriveId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = DriveView),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[post("/v1/admin/drives/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(&app, service::archive(&app, staff.actor, id(&path)?).await?))
}

fn id(path: &str) -> Result<DriveId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(app: &App, drive: Drive) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(drive.version)).json(DriveView::new(drive, app.clock.now()))
}
