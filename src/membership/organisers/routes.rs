//! `/v1/chapters/{code}/organiser-applications`, `/v1/chapters/{code}/members`, `/v1/me/organiser-applications`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{ChapterMemberView, NewOrganiser, OrganiserChange, OrganiserView};
use super::model::{self, Wanted};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::OrganiserId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(apply, list_own, change, withdraw, members))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(apply).service(list_own).service(change).service(withdraw).service(members);
}

/// Ask to organise your chapter
///
/// One open application a chapter. A mail tells of the decision.
#[utoipa::path(
    tag = "chapters",
    params(("code" = String, Path, description = "the chapter's code")),
    request_body = NewOrganiser,
    security(("bearer" = [])),
    responses(
        (status = 201, body = OrganiserView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "members_only"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "other_chapter, chapter_archived, application_exists"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/chapters/{code}/organiser-applications")]
async fn apply(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    Body(body): Body<NewOrganiser>,
) -> Result<HttpResponse> {
    let row = service::apply(&app, caller.account, &path, &body).await?;
    let location = "/v1/me/organiser-applications";
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(OrganiserView::from(row)))
}

/// Your applications to organise a chapter
#[utoipa::path(
    tag = "chapters",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<OrganiserView>))
)]
#[get("/v1/me/organiser-applications")]
async fn list_own(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let page = query.page()?;
    let wanted = Wanted { account: Some(caller.account), ..Wanted::default() };
    let rows = model::list(&mut *db::connect(&app.pool).await?, wanted, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0).map(OrganiserView::from)))
}

/// Change the name that you are listed by, or don't be listed
#[utoipa::path(
    tag = "chapters",
    params(("id" = OrganiserId, Path)),
    request_body = OrganiserChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = OrganiserView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[patch("/v1/me/organiser-applications/{id}")]
async fn change(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    Body(body): Body<OrganiserChange>,
) -> Result<HttpResponse> {
    let row = service::change(&app, caller.account, id(&path)?, body).await?;
    Ok(HttpResponse::Ok().json(OrganiserView::from(row)))
}

/// Take your application back, or give your office up
#[utoipa::path(
    tag = "chapters",
    params(("id" = OrganiserId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = OrganiserView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "application_decided"),
    )
)]
#[post("/v1/me/organiser-applications/{id}/withdraw")]
async fn withdraw(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse> {
    let row = service::withdraw(&app, caller.account, id(&path)?).await?;
    Ok(HttpResponse::Ok().json(OrganiserView::from(row)))
}

/// The members of a chapter, for its organisers
///
/// Number, first letter of the name, tier: nothing else.
#[utoipa::path(
    tag = "chapters",
    params(("code" = String, Path, description = "the chapter's code"), PageQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<ChapterMemberView>),
        (status = 403, body = Problem, description = "organisers_only"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/chapters/{code}/members")]
async fn members(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = service::members(&app, caller.account, &path, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.0).map(ChapterMemberView::from)))
}

fn id(path: &str) -> Result<OrganiserId> {
    path.parse().map_err(|_| Code::NotFound.error())
}
