//! `/v1/community-rules`, `/v1/me/community-rules`, `/v1/admin/community-rules`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, web};

use super::dto::{AcceptRules, NewRules, RulesView, StandingView};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::{Caller, ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::http::ready::Ready;

#[derive(utoipa::OpenApi)]
#[openapi(paths(current, standing, accept, publish, list))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(current).service(standing).service(accept).service(publish).service(list);
}

/// The rules of the community in force
#[utoipa::path(
    tag = "memberships",
    responses(
        (status = 200, body = RulesView),
        (status = 304, description = "unchanged since that ETag"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/community-rules")]
async fn current(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let locale = locale_of(&request);
    let rules = model::current(&mut *db::connect(&app.pool).await?).await?.ok_or(Code::NotFound)?;
    Ok(Ready::json(&RulesView::new(rules, locale))?.answer(locale, &request))
}

/// Which rules you accepted, and whether you are asked to accept newer ones
#[utoipa::path(
    tag = "memberships",
    security(("bearer" = [])),
    responses(
        (status = 200, body = StandingView),
        (status = 401, body = Problem, description = "unauthenticated"),
    )
)]
#[get("/v1/me/community-rules")]
async fn standing(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service::standing(&app, caller.account).await?))
}

/// Accept the rules in force
#[utoipa::path(
    tag = "memberships",
    request_body = AcceptRules,
    security(("bearer" = [])),
    responses(
        (status = 200, body = StandingView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 409, body = Problem, description = "community_rules_changed"),
    )
)]
#[post("/v1/me/community-rules")]
async fn accept(app: web::Data<App>, caller: Caller, Body(body): Body<AcceptRules>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service::accept(&app, caller.account, &body.version).await?))
}

/// Publish rules of the community
///
/// In force from now on. A version is never changed or taken back: who accepted it accepted this text.
#[utoipa::path(
    tag = "admin: members",
    request_body = NewRules,
    security(("bearer" = [])),
    responses(
        (status = 201, body = RulesView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/community-rules")]
async fn publish(
    app: web::Data<App>,
    request: HttpRequest,
    staff: Staff<ManageShop>,
    Body(body): Body<NewRules>,
) -> Result<HttpResponse> {
    let rules = service::publish(&app, staff.actor, &body).await?;
    let view = RulesView::new(rules, locale_of(&request));
    Ok(HttpResponse::Created().insert_header((LOCATION, "/v1/community-rules")).json(view))
}

/// All versions of the rules of the community, newest first
#[utoipa::path(
    tag = "admin: members",
    security(("bearer" = [])),
    responses((status = 200, body = List<RulesView>))
)]
#[get("/v1/admin/community-rules")]
async fn list(app: web::Data<App>, request: HttpRequest, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let locale = locale_of(&request);
    let rows = model::all(&mut *db::connect(&app.pool).await?).await?;
    Ok(HttpResponse::Ok().json(List::whole(rows).map(|rules| RulesView::new(rules, locale))))
}
