//! `/v1/admin/coupon-campaigns/{id}/mailings`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};
use serde_json::json;

use super::dto::{MailingView, NewMailing};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::jobs::Lane;
use crate::promotion::campaigns::routes::campaign_id;
use crate::types::id::{CampaignId, MailingId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(begin, list, show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(begin).service(list).service(show);
}

/// Give a coupon to everybody in a segment
///
/// A job does it, each account once, and mails the code to those who accept news. The job's `progress` tells how far it is.
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewMailing,
    security(("bearer" = [])),
    responses(
        (status = 202, body = MailingView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "closed"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/coupon-campaigns/{id}/mailings")]
async fn begin(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<NewMailing>,
) -> Result<HttpResponse> {
    let campaign = campaign_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/coupon-campaigns/{id}/mailings",
        key: key.0,
        body_hash: idempotency::hash(&json!([campaign, body]))?,
    };
    let (of, job) =
        service::begin(&app.pool, staff.actor, campaign, &body, Some(&request), app.clock.now()).await?;
    app.jobs.wake(Lane::Local);
    Ok(HttpResponse::Accepted()
        .insert_header((LOCATION, format!("/v1/admin/coupon-mailings/{}", of.id)))
        .json(MailingView::new(of, job)))
}

/// Segments that were given coupons of a campaign, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CampaignId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<MailingView>))
)]
#[get("/v1/admin/coupon-campaigns/{id}/mailings")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let found = model::of_campaign(&mut *db::connect(&app.pool).await?, campaign_id(&path)?, page).await?;
    let view = |of| MailingView::new(of, None);
    Ok(HttpResponse::Ok().json(List::cut(found, page, |of| of.id.0).map(view)))
}

/// How far coupons for a segment are
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = MailingId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = MailingView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/coupon-mailings/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    let of = model::find(&mut *db::connect(&app.pool).await?, id).await?.ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(MailingView::new(of, None)))
}
