//! `/v1/admin/gifts`.

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::json;

use super::dto::{GiftExtension, GiftRenewedCode, GiftView, GiftWithdrawal};
use super::model::{self, GiftRow};
use super::operators;
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::{GiftId, OrderId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, show, extend, void, replace))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(show).service(extend).service(void).service(replace);
}

fn gift_id(path: &str) -> Result<GiftId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

/// Which gifts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct GiftQuery {
    /// Those of one order.
    #[param(value_type = Option<String>)]
    pub order: Option<OrderId>,
    /// 1 to 100; 20 by default.
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// Gift memberships, newest first
#[utoipa::path(
    tag = "admin: gifts",
    params(GiftQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<GiftView>))
)]
#[get("/v1/admin/gifts")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    web::Query(query): web::Query<GiftQuery>,
) -> Result<HttpResponse> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor }.page()?;
    let gifts = model::page(&mut *db::connect(&app.pool).await?, query.order, page).await?;
    let now = app.clock.now();
    let gifts = List::cut(gifts, page, |gift: &GiftRow| gift.id.0);
    Ok(HttpResponse::Ok().json(gifts.map(|gift| GiftView::of(gift, now))))
}

/// One gift membership
#[utoipa::path(
    tag = "admin: gifts",
    params(("id" = GiftId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = GiftView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/gifts/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let gift = model::load(&mut *db::connect(&app.pool).await?, gift_id(&path)?).await?;
    Ok(HttpResponse::Ok().json(GiftView::of(gift, app.clock.now())))
}

/// Move the end of a gift membership that nobody has redeemed
///
/// Also of one that has expired: it can be redeemed again.
#[utoipa::path(
    tag = "admin: gifts",
    params(("id" = GiftId, Path)),
    request_body = GiftExtension,
    security(("bearer" = [])),
    responses(
        (status = 200, body = GiftView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "gift_redeemed, gift_void, gift_held"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/gifts/{id}/extend")]
async fn extend(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<GiftExtension>,
) -> Result<HttpResponse> {
    let gift = operators::extend(&app, staff.actor, gift_id(&path)?, &body).await?;
    Ok(HttpResponse::Ok().json(GiftView::of(gift, app.clock.now())))
}

/// Take a gift membership back that nobody has redeemed
///
/// Its money stays; a refund of its line sends that back, and ends what it gave where somebody has redeemed it.
#[utoipa::path(
    tag = "admin: gifts",
    params(("id" = GiftId, Path)),
    request_body = GiftWithdrawal,
    security(("bearer" = [])),
    responses(
        (status = 200, body = GiftView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "gift_redeemed, gift_void"),
    )
)]
#[post("/v1/admin/gifts/{id}/void")]
async fn void(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<GiftWithdrawal>,
) -> Result<HttpResponse> {
    let gift = operators::void(&app, staff.actor, gift_id(&path)?, &body.reason()?).await?;
    Ok(HttpResponse::Ok().json(GiftView::of(gift, app.clock.now())))
}

/// Mail a gift membership again, with a new code
#[utoipa::path(
    tag = "admin: gifts",
    params(("id" = GiftId, Path), ("Idempotency-Key" = String, Header)),
    request_body = GiftRenewedCode,
    security(("bearer" = [])),
    responses(
        (status = 200, body = GiftView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "gift_redeemed, gift_void, gift_held, gift_expired"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/gifts/{id}/replace")]
async fn replace(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<GiftRenewedCode>,
) -> Result<HttpResponse> {
    let id = gift_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/gifts/{id}/replace",
        key: key.0,
        body_hash: idempotency::hash(&json!([id, body]))?,
    };
    let gift = operators::replace(&app, staff.actor, id, &body, &request).await?;
    Ok(HttpResponse::Ok().json(GiftView::of(gift, app.clock.now())))
}
