//! `/v1/admin/gift-cards`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::json;

use super::dto::{GiftCardView, GiftReplacement, GiftVoid, NewGift};
use super::model::{self, GiftCard};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::{GiftCardId, OrderId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(give_out, list, show, void, replace))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(give_out).service(list).service(show).service(void).service(replace);
}

fn card_id(path: &str) -> Result<GiftCardId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

/// Give a gift card out
#[utoipa::path(
    tag = "admin: credit",
    params(("Idempotency-Key" = String, Header)),
    request_body = NewGift,
    security(("bearer" = [])),
    responses((status = 201, body = GiftCardView), (status = 422, body = Problem, description = "invalid_field"))
)]
#[post("/v1/admin/gift-cards")]
async fn give_out(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    key: IdempotencyKey,
    Body(body): Body<NewGift>,
) -> Result<HttpResponse> {
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/gift-cards",
        key: key.0,
        body_hash: idempotency::hash(&body)?,
    };
    let id = service::give_out(&app, staff.actor, &body, &request).await?;
    let card = model::load(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/gift-cards/{id}")))
        .json(GiftCardView::of(card, app.clock.now())))
}

/// Which cards.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct GiftCardQuery {
    /// Those of one order.
    #[param(value_type = Option<String>)]
    pub order: Option<OrderId>,
    /// 1 to 100; 20 by default.
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// Gift cards, newest first
#[utoipa::path(
    tag = "admin: credit",
    params(GiftCardQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<GiftCardView>))
)]
#[get("/v1/admin/gift-cards")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    web::Query(query): web::Query<GiftCardQuery>,
) -> Result<HttpResponse> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor }.page()?;
    let cards = model::page(&mut *db::connect(&app.pool).await?, query.order, page).await?;
    let now = app.clock.now();
    let cards = List::cut(cards, page, |card: &GiftCard| card.id.0);
    Ok(HttpResponse::Ok().json(cards.map(|card| GiftCardView::of(card, now))))
}

/// One gift card
#[utoipa::path(
    tag = "admin: credit",
    params(("id" = GiftCardId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = GiftCardView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/gift-cards/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let card = model::load(&mut *db::connect(&app.pool).await?, card_id(&path)?).await?;
    Ok(HttpResponse::Ok().json(GiftCardView::of(card, app.clock.now())))
}

/// Take a gift card back that nobody has redeemed
#[utoipa::path(
    tag = "admin: credit",
    params(("id" = GiftCardId, Path)),
    request_body = GiftVoid,
    security(("bearer" = [])),
    responses(
        (status = 200, body = GiftCardView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "gift_card_redeemed"),
    )
)]
#[post("/v1/admin/gift-cards/{id}/void")]
async fn void(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<GiftVoid>,
) -> Result<HttpResponse> {
    let card = service::void(&app, staff.actor, card_id(&path)?, &body.reason()?).await?;
    Ok(HttpResponse::Ok().json(GiftCardView::of(card, app.clock.now())))
}

/// Mail a gift card again, with a new code
#[utoipa::path(
    tag = "admin: credit",
    params(("id" = GiftCardId, Path), ("Idempotency-Key" = String, Header)),
    request_body = GiftReplacement,
    security(("bearer" = [])),
    responses(
        (status = 200, body = GiftCardView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem,
            description = "gift_card_redeemed, gift_card_void, gift_card_held, gift_card_expired"),
    )
)]
#[post("/v1/admin/gift-cards/{id}/replace")]
async fn replace(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<GiftReplacement>,
) -> Result<HttpResponse> {
    let id = card_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/gift-cards/{id}/replace",
        key: key.0,
        body_hash: idempotency::hash(&json!([id, body]))?,
    };
    let card = service::replace(&app, staff.actor, id, &body, &request).await?;
    Ok(HttpResponse::Ok().json(GiftCardView::of(card, app.clock.now())))
}
