//! `/v1/admin/organiser-applications`.

use actix_web::{HttpResponse, get, post, web};

use super::dto::{AdminOrganiserView, OrganiserFilter, OrganiserReason};
use super::model::{self, Wanted};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::OrganiserId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, show, approve, refuse, end))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(show).service(approve).service(refuse).service(end);
}

/// Who wants to organise a chapter, does, or did
#[utoipa::path(
    tag = "admin: chapters",
    params(PageQuery, OrganiserFilter),
    security(("bearer" = [])),
    responses((status = 200, body = List<AdminOrganiserView>))
)]
#[get("/v1/admin/organiser-applications")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
    filter: web::Query<OrganiserFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let wanted = Wanted { account: None, chapter: filter.chapter, state: filter.state };
    let rows = model::list(&mut *db::connect(&app.pool).await?, wanted, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0).map(AdminOrganiserView::from)))
}

/// An application to organise a chapter
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = OrganiserId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminOrganiserView),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/organiser-applications/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = id(&path)?;
    let found = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(HttpResponse::Ok().json(AdminOrganiserView::from(found.ok_or(Code::NotFound)?)))
}

/// Make the applicant an organiser
///
/// He is told by mail.
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = OrganiserId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminOrganiserView),
        (status = 403, body = Problem, description = "members_only: his membership is over"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "application_decided, other_chapter"),
    )
)]
#[post("/v1/admin/organiser-applications/{id}/approve")]
async fn approve(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let row = service::approve(&app, staff.actor, id(&path)?).await?;
    Ok(HttpResponse::Ok().json(AdminOrganiserView::from(row)))
}

/// Refuse an application to organise a chapter
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = OrganiserId, Path)),
    request_body = OrganiserReason,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminOrganiserView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "application_decided"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/organiser-applications/{id}/refuse")]
async fn refuse(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<OrganiserReason>,
) -> Result<HttpResponse> {
    let row = service::refuse(&app, staff.actor, id(&path)?, &body.reason).await?;
    Ok(HttpResponse::Ok().json(AdminOrganiserView::from(row)))
}

/// End an organiser's office
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = OrganiserId, Path)),
    request_body = OrganiserReason,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminOrganiserView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "application_decided"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/organiser-applications/{id}/end")]
async fn end(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<OrganiserReason>,
) -> Result<HttpResponse> {
    let row = service::end(&app, staff.actor, id(&path)?, &body.reason).await?;
    Ok(HttpResponse::Ok().json(AdminOrganiserView::from(row)))
}

fn id(path: &str) -> Result<OrganiserId> {
    path.parse().map_err(|_| Code::NotFound.error())
}
