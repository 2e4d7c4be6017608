//! `/v1/admin/drops` and their F-codes.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{AdminDropView, DropChange, FCodeView, NewDrop, NewFCodes};
use super::model::Drop;
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::DropId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive, issue, f_codes))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(archive)
        .service(issue)
        .service(f_codes);
}

fn answer(app: &App, drop: Drop) -> HttpResponse {
    let version = drop.version;
    HttpResponse::Ok().insert_header(etag(version)).json(AdminDropView::new(drop, app.clock.now()))
}

fn drop_id(path: &str) -> Result<DropId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

/// Make a drop
#[utoipa::path(
    tag = "admin: drops",
    request_body = NewDrop,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AdminDropView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, unknown_article"),
    )
)]
#[post("/v1/admin/drops")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewDrop>,
) -> Result<HttpResponse> {
    let drop = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/drops/{}", drop.id)))
        .insert_header(etag(drop.version))
        .json(AdminDropView::new(drop, app.clock.now())))
}

/// All drops, archived ones too
#[utoipa::path(
    tag = "admin: drops",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<AdminDropView>))
)]
#[get("/v1/admin/drops")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let (page, now) = (query.page()?, app.clock.now());
    let rows = model::list(&mut *db::connect(&app.pool).await?, true, page).await?;
    Ok(HttpResponse::Ok()
        .json(List::cut(rows, page, |drop| drop.id.0).map(|drop| AdminDropView::new(drop, now))))
}

/// A drop
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminDropView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/drops/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = drop_id(&path)?;
    let drop = model::load(&mut *db::connect(&app.pool).await?, &[id]).await?.pop();
    Ok(answer(&app, drop.ok_or(Code::NotFound)?))
}

/// Change a drop
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = DropChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminDropView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "closed"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/drops/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<DropChange>,
) -> Result<HttpResponse> {
    Ok(answer(&app, service::change(&app, staff.actor, drop_id(&path)?, seen, body).await?))
}

/// End a drop for good
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminDropView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/drops/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(&app, service::archive(&app, staff.actor, drop_id(&path)?).await?))
}

/// Make F-codes: each sets one unit aside now
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewFCodes,
    security(("bearer" = [])),
    responses(
        (status = 201, body = List<FCodeView>),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "stock_not_free, closed"),
        (status = 422, body = Problem, description = "invalid_field, unknown_article"),
    )
)]
#[post("/v1/admin/drops/{id}/f-codes")]
async fn issue(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<NewFCodes>,
) -> Result<HttpResponse> {
    let id = drop_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/drops/{id}/f-codes",
        key: key.0,
        body_hash: idempotency::hash(&(id, &body))?,
    };
    let codes = service::issue(&app, staff.actor, id, &body, &request).await?;
    let codes: Vec<_> = codes.into_iter().map(FCodeView::from).collect();
    Ok(HttpResponse::Created().json(List::whole(codes)))
}

/// F-codes of a drop, newest first
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<FCodeView>))
)]
#[get("/v1/admin/drops/{id}/f-codes")]
async fn f_codes(
    app: web::Data<App>,
    _staff: Staff<ManageShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let (id, page) = (drop_id(&path)?, query.page()?);
    let rows = model::list_f_codes(&mut *db::connect(&app.pool).await?, id, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |code| code.id.0).map(FCodeView::from)))
}
