//! `/v1/me/check-ins`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};

use super::dto::{CheckInView, CheckInsView};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(check_in, own))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(check_in).service(own);
}

/// Check in for today
///
/// Once a day of the shop. Days in a row give more: `GET /v1/me/check-ins` says what the next one gives.
#[utoipa::path(
    tag = "points",
    params(("Idempotency-Key" = String, Header)),
    security(("bearer" = [])),
    responses(
        (status = 201, body = CheckInView),
        (status = 409, body = Problem, description = "already_checked_in, not_open, request_in_progress"),
        (status = 422, body = Problem, description = "idempotency_key_reused"),
    )
)]
#[post("/v1/me/check-ins")]
async fn check_in(app: web::Data<App>, caller: Caller, key: IdempotencyKey) -> Result<HttpResponse> {
    let request = Request {
        account: caller.account,
        route: "POST /v1/me/check-ins",
        key: key.0,
        body_hash: idempotency::hash(&())?,
    };
    let row = service::check_in(&app, caller.account, &request).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, "/v1/me/check-ins")).json(CheckInView::from(row)))
}

/// The days on which you came by
#[utoipa::path(
    tag = "points",
    security(("bearer" = [])),
    responses((status = 200, body = CheckInsView), (status = 401, body = Problem, description = "unauthenticated"))
)]
#[get("/v1/me/check-ins")]
async fn own(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    Ok(HttpResponse::Ok().json(service::show(&app, &mut conn, caller.account).await?))
}
