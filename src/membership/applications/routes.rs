//! `/v1/drives/{id}/applications`, `/v1/me/applications`, `/v1/admin/applications`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};

use super::dto::{AdminApplicationView, ApplicationFilter, ApplicationView, NewApplication, Refusal};
use super::model::{self, Wanted};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{Caller, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::ApplicationId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(apply, list_own, show_own, list, show, approve, refuse))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(apply).service(list_own).service(show_own);
    config.service(list).service(show).service(approve).service(refuse);
}

/// Ask to join a drive
///
/// For drives with admission `application`, once, until they close. A mail tells of the decision.
#[utoipa::path(
    tag = "drives",
    params(("id" = String, Path, description = "id or code of the drive")),
    request_body = NewApplication,
    security(("bearer" = [])),
    responses(
        (status = 201, body = ApplicationView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "wrong_admission, closed, application_exists"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/drives/{id}/applications")]
async fn apply(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    Body(body): Body<NewApplication>,
) -> Result<HttpResponse> {
    let application = service::apply(&app, caller.account, &path, &body).await?;
    let location = format!("/v1/me/applications/{}", application.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(ApplicationView::from(application)))
}

/// Your applications
#[utoipa::path(
    tag = "drives",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<ApplicationView>))
)]
#[get("/v1/me/applications")]
async fn list_own(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let page = query.page()?;
    let wanted = Wanted { account: Some(caller.account), ..Wanted::default() };
    let rows = model::list(&mut *db::connect(&app.pool).await?, wanted, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0).map(ApplicationView::from)))
}

/// One of your applications
#[utoipa::path(
    tag = "drives",
    params(("id" = ApplicationId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = ApplicationView),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/me/applications/{id}")]
async fn show_own(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse> {
    let id = id(&path)?;
    let found = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    let own = found.filter(|application| application.account_id == caller.account);
    Ok(HttpResponse::Ok().json(ApplicationView::from(own.ok_or(Code::NotFound)?)))
}

/// Applications to decide, or decided
#[utoipa::path(
    tag = "admin: drives",
    params(PageQuery, ApplicationFilter),
    security(("bearer" = [])),
    responses((status = 200, body = List<AdminApplicationView>))
)]
#[get("/v1/admin/applications")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
    filter: web::Query<ApplicationFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let wanted = Wanted { account: None, drive: filter.drive, state: filter.state };
    let rows = model::list(&mut *db::connect(&app.pool).await?, wanted, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0).map(AdminApplicationView::from)))
}

/// An application
#[utoipa::path(
    tag = "admin: drives",
    params(("id" = ApplicationId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminApplicationView),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/applications/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = id(&path)?;
    let found = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(HttpResponse::Ok().json(AdminApplicationView::from(found.ok_or(Code::NotFound)?)))
}

/// Approve an application
///
/// The applicant may buy until a deadline, and is told by mail.
#[utoipa::path(
    tag = "admin: drives",
    params(("id" = ApplicationId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminApplicationView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "application_decided, closed"),
    )
)]
#[post("/v1/admin/applications/{id}/approve")]
async fn approve(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let decided = service::approve(&app, staff.actor, id(&path)?).await?;
    Ok(HttpResponse::Ok().json(AdminApplicationView::from(decided)))
}

/// Refuse an application
#[utoipa::path(
    tag = "admin: drives",
    params(("id" = ApplicationId, Path)),
    request_body = Refusal,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminApplicationView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "application_decided"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/applications/{id}/refuse")]
async fn refuse(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<Refusal>,
) -> Result<HttpResponse> {
    let decided = service::refuse(&app, staff.actor, id(&path)?, &body.reason).await?;
    Ok(HttpResponse::Ok().json(AdminApplicationView::from(decided)))
}

fn id(path: &str) -> Result<ApplicationId> {
    path.parse().map_err(|_| Code::NotFound.error())
}
