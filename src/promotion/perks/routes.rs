//! `POST /v1/me/benefits/{id}/claim`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, post, web};

use super::service;
use crate::app::App;
use crate::db::idempotency::{self, Request};
use crate::error::{Code, Result};
use crate::http::auth::Caller;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::promotion::coupons::dto::WalletCoupon;
use crate::types::id::BenefitId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(claim))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(claim);
}

/// Take a coupon that your tier gives
///
/// One of those that the period allows which runs for you: `GET /v1/me/membership` says how many are left, and until when.
#[utoipa::path(
    tag = "memberships",
    params(("id" = BenefitId, Path), ("Idempotency-Key" = String, Header)),
    security(("bearer" = [])),
    responses(
        (status = 201, body = WalletCoupon),
        (status = 403, body = Problem, description = "members_only"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description =
            "benefit_used_up, benefit_not_in_trial, benefit_not_claimable, membership_frozen, not_open, closed, request_in_progress"),
        (status = 422, body = Problem, description = "unknown_benefit: not of your tier; idempotency_key_reused"),
    )
)]
#[post("/v1/me/benefits/{id}/claim")]
async fn claim(
    app: web::Data<App>,
    caller: Caller,
    key: IdempotencyKey,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id: BenefitId = path.parse().map_err(|_| Code::NotFound)?;
    let request = Request {
        account: caller.account,
        route: "POST /v1/me/benefits/{id}/claim",
        key: key.0,
        body_hash: idempotency::hash(&id)?,
    };
    let coupon = service::claim(&app, id, &request).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, "/v1/me/coupons")).json(coupon))
}
