//! What operators decide about referrals: under the row of the friend's order.

use actix_web::{HttpResponse, post, web};

use super::service;
use crate::app::App;
use crate::db;
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::promotion::referrals::dto::{ReferralVerdict, ReferralView};
use crate::promotion::referrals::service::{Verdict, views};
use crate::types::id::ReferralId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(release, refuse))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(release).service(refuse);
}

/// Let a held referral pass
///
/// What made it suspicious no longer counts. Its rewards are given once the friend's return window is over.
#[utoipa::path(
    tag = "admin: referrals",
    params(("id" = ReferralId, Path)),
    request_body = ReferralVerdict,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ReferralView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "referral_decided"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/referrals/{id}/release")]
async fn release(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<ReferralVerdict>,
) -> Result<HttpResponse> {
    judge(&app, &staff, &path, Verdict::Release, &body).await
}

/// Refuse a referral that isn't rewarded yet
#[utoipa::path(
    tag = "admin: referrals",
    params(("id" = ReferralId, Path)),
    request_body = ReferralVerdict,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ReferralView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "referral_decided"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/referrals/{id}/refuse")]
async fn refuse(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<ReferralVerdict>,
) -> Result<HttpResponse> {
    judge(&app, &staff, &path, Verdict::Refuse, &body).await
}

async fn judge(
    app: &App,
    staff: &Staff<ManageShop>,
    id: &str,
    verdict: Verdict,
    body: &ReferralVerdict,
) -> Result<HttpResponse> {
    let id = id.parse().map_err(|_| Code::NotFound)?;
    let judged = service::judge(app, staff.actor, id, verdict, &body.reason).await?;
    let mut conn = db::connect(&app.pool).await?;
    let view = views(&mut conn, vec![judged], &app.settings.currency).await?.pop();
    Ok(HttpResponse::Ok().json(view.ok_or(Code::NotFound)?))
}
