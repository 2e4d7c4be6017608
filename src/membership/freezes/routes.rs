//! `POST /v1/me/membership/{freeze, resume}`.

use actix_web::{HttpResponse, post, web};
use serde::Serialize;

use super::dto::FreezeRequest;
use super::service;
use crate::app::App;
use crate::db::idempotency::{self, Request};
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::membership::memberships::dto::MembershipView;
use crate::membership::memberships::reader as memberships;

#[derive(utoipa::OpenApi)]
#[openapi(paths(freeze, resume))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(freeze).service(resume);
}

/// Let your membership rest
///
/// Until then, or until you resume it, it gives no access, and its end moves by as much. Some days a year at most, counted over
/// the 365 days before: the shop's `KINDRED_FREEZE_DAYS`.
#[utoipa::path(
    tag = "memberships",
    params(("Idempotency-Key" = String, Header)),
    request_body = FreezeRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MembershipView),
        (status = 409, body = Problem, description =
            "membership_not_open, membership_frozen, already_for_life, membership_order_pending, freeze_limit"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/me/membership/freeze")]
async fn freeze(
    app: web::Data<App>,
    caller: Caller,
    key: IdempotencyKey,
    Body(body): Body<FreezeRequest>,
) -> Result<HttpResponse> {
    let request = asked(&caller, key, "POST /v1/me/membership/freeze", &body)?;
    service::freeze(&app, body.until, &request).await?;
    shown(&app, &caller).await
}

/// Go on with your membership
///
/// What was left of it when you froze it is left of it now.
#[utoipa::path(
    tag = "memberships",
    params(("Idempotency-Key" = String, Header)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = MembershipView),
        (status = 409, body = Problem, description = "membership_not_frozen"),
        (status = 422, body = Problem, description = "idempotency_key_reused"),
    )
)]
#[post("/v1/me/membership/resume")]
async fn resume(app: web::Data<App>, caller: Caller, key: IdempotencyKey) -> Result<HttpResponse> {
    let request = asked(&caller, key, "POST /v1/me/membership/resume", &())?;
    service::resume(&app, &request).await?;
    shown(&app, &caller).await
}

fn asked(
    caller: &Caller,
    key: IdempotencyKey,
    route: &'static str,
    body: &impl Serialize,
) -> Result<Request> {
    Ok(Request { account: caller.account, route, key: key.0, body_hash: idempotency::hash(body)? })
}

async fn shown(app: &App, caller: &Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(memberships::own(app, caller.account).await?))
}
