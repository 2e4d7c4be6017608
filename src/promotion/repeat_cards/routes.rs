//! `/v1/admin/coupon-flags`.

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;

use super::dto::{CouponFlag, FlagDecision};
use super::model::{self, Flag};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::jobs::Lane;
use crate::types::id::CouponUseId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, decide))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(decide);
}

/// Which flags.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FlagQuery {
    /// Those that nobody has decided about.
    #[serde(default)]
    pub open: bool,
    /// 1 to 100; 20 by default.
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// Coupons that one card has used more often than one person may, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(FlagQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<CouponFlag>))
)]
#[get("/v1/admin/coupon-flags")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    web::Query(query): web::Query<FlagQuery>,
) -> Result<HttpResponse> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor }.page()?;
    let flags = model::page(&mut *db::connect(&app.pool).await?, query.open, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(flags, page, |flag: &Flag| flag.use_id.0).map(CouponFlag::from)))
}

/// Let such an order stand, or refund it
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = CouponUseId, Path)),
    request_body = FlagDecision,
    security(("bearer" = [])),
    responses((status = 204), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/coupon-flags/{id}/decide")]
async fn decide(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<FlagDecision>,
) -> Result<HttpResponse> {
    let id: CouponUseId = path.parse().map_err(|_| Code::NotFound)?;
    service::decide(&app, staff.actor, id, &body).await?;
    app.jobs.wake(Lane::Stripe);
    Ok(HttpResponse::NoContent().finish())
}
