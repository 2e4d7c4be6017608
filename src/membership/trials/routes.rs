//! `POST /v1/me/trials`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, post, web};

use super::dto::{StartedTrial, TrialRequest};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::membership::memberships::reader as memberships;

#[derive(utoipa::OpenApi)]
#[openapi(paths(start))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(start);
}

/// Try a plan for some days
///
/// Free, once a person, for who has never been a member. No card is asked, nothing is ever charged for it, and it ends by itself;
/// who buys the plan before goes on from its end.
#[utoipa::path(
    tag = "memberships",
    params(("Idempotency-Key" = String, Header)),
    request_body = TrialRequest,
    security(("bearer" = [])),
    responses(
        (status = 201, body = StartedTrial),
        (status = 403, body = Problem, description = "email_not_verified"),
        (status = 409, body = Problem, description =
            "no_trial, trial_used, not_new, membership_order_pending, request_in_progress"),
        (status = 422, body = Problem, description = "unknown_plan, idempotency_key_reused"),
    )
)]
#[post("/v1/me/trials")]
async fn start(
    app: web::Data<App>,
    caller: Caller,
    key: IdempotencyKey,
    Body(body): Body<TrialRequest>,
) -> Result<HttpResponse> {
    let request = Request {
        account: caller.account,
        route: "POST /v1/me/trials",
        key: key.0,
        body_hash: idempotency::hash(&body)?,
    };
    let id = service::start(&app, body.plan, &request).await?;
    let mut conn = db::connect(&app.pool).await?;
    let (trial, starts_at, ends_at) = service::shown(&mut conn, id).await?;
    drop(conn);
    Ok(HttpResponse::Created().insert_header((LOCATION, "/v1/me/membership")).json(StartedTrial {
        id,
        plan: trial.plan_id,
        days: trial.days,
        starts_at,
        ends_at,
        membership: memberships::own(&app, caller.account).await?,
    }))
}
