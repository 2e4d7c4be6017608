//! Give-outs: for everybody, and operators' work on them.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde_json::json;

use super::dto::{Claimed, GiveOutView, NewGiveOut, PublicClaim};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{Caller, ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::types::id::GiveOutId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(show, take, create, list, end))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(show).service(take).service(create).service(list).service(end);
}

/// What there is to claim under a code, and when
#[utoipa::path(
    tag = "coupons",
    params(("code" = String, Path)),
    responses((status = 200, body = PublicClaim), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/coupon-campaigns/{code}")]
async fn show(app: web::Data<App>, request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse> {
    let view = service::look(&app, &path, locale_of(&request)).await?;
    Ok(HttpResponse::Ok().json(view))
}

/// Claim: take a coupon from a give-out, play a game, open a red packet, start one in a chain
#[utoipa::path(
    tag = "coupons",
    params(("code" = String, Path), ("Idempotency-Key" = String, Header, description = "A repeat answers the same")),
    security(("bearer" = [])),
    responses(
        (status = 201, body = Claimed),
        (status = 403, body = Problem, description = "not for you: the code says why"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "not_open, closed, given_out, cap_reached, no_right_left"),
    )
)]
#[post("/v1/coupon-campaigns/{code}/claim")]
async fn take(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    key: IdempotencyKey,
) -> Result<HttpResponse> {
    let request = Request {
        account: caller.account,
        route: "POST /v1/coupon-campaigns/{code}/claim",
        key: key.0,
        body_hash: idempotency::hash(&json!([*path]))?,
    };
    let claimed = service::claim(&app, &path, caller.account, &request).await?;
    Ok(HttpResponse::Created().json(claimed))
}

/// Give coupons out to whoever comes first
#[utoipa::path(
    tag = "admin: coupons",
    request_body = NewGiveOut,
    security(("bearer" = [])),
    responses(
        (status = 201, body = GiveOutView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "code_taken, closed"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/give-outs")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewGiveOut>,
) -> Result<HttpResponse> {
    let made = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/coupon-campaigns/{}", made.code)))
        .json(GiveOutView::from(made)))
}

/// All give-outs, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<GiveOutView>))
)]
#[get("/v1/admin/give-outs")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let found = model::list(&mut *db::connect(&app.pool).await?, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(found, page, |of| of.id.0).map(GiveOutView::from)))
}

/// End a give-out; what was taken stays
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = GiveOutId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = GiveOutView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/give-outs/{id}/end")]
async fn end(app: web::Data<App>, staff: Staff<ManageShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(GiveOutView::from(service::end(&app, staff.actor, id).await?)))
}
