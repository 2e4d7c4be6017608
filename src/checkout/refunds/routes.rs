//! Operators' refunds.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use super::dto::{RefundRequest, RefundView};
use super::model;
use super::service::{self, NewRefund, Tells};
use crate::app::App;
use crate::checkout::orders::dto::order_id;
use crate::checkout::orders::model as orders;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::types::id::{OrderId, RefundId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/v1/admin/orders/{id}/refunds", web::post().to(create))
        .route("/v1/admin/orders/{id}/refunds", web::get().to(list))
        .route("/v1/admin/refunds/{id}", web::get().to(show));
}

/// Refunds an order: in full, by lines, or by an amount. Stripe is asked at once; WeChat Pay and Alipay take their time.
#[utoipa::path(post, path = "/v1/admin/orders/{id}/refunds", tag = "Operators", request_body = RefundRequest,
    params(("id" = OrderId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = RefundView),
        (status = 409, description = "nothing_to_refund, refund_exceeds_captured, gift_card_redeemed")),
    security(("bearer" = [])))]
pub async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    key: IdempotencyKey,
    path: web::Path<String>,
    Body(body): Body<RefundRequest>,
) -> Result<HttpResponse> {
    let actor = staff.actor;
    let new = NewRefund {
        order: order_id(&path)?,
        asked: body.asked(&app.settings.currency)?,
        reason: body.reason()?,
        restock: body.restock,
        into_credit: body.into_credit,
        cause: format!("{}:{:?}:{}", actor.kind(), actor.id(), key.0),
        tells: Tells::Refund,
    };
    let refund = service::request(&app, actor, &new).await?;
    let row = model::load(&mut *db::connect(&app.pool).await?, refund).await?;
    let location = format!("/v1/admin/refunds/{refund}");
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(RefundView::from(row)))
}

/// Refunds of an order.
#[utoipa::path(get, path = "/v1/admin/orders/{id}/refunds", tag = "Operators", params(("id" = OrderId, Path)),
    responses((status = 200, body = List<RefundView>)), security(("bearer" = [])))]
pub async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let order = orders::load(&mut conn, order_id(&path)?).await?;
    let rows = model::of_order(&mut conn, order.id).await?;
    Ok(HttpResponse::Ok().json(List::whole(rows.into_iter().map(RefundView::from).collect())))
}

/// One refund.
#[utoipa::path(get, path = "/v1/admin/refunds/{id}", tag = "Operators", params(("id" = RefundId, Path)),
    responses((status = 200, body = RefundView)), security(("bearer" = [])))]
pub async fn show(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id: RefundId = path.parse().map_err(|_| Code::NotFound)?;
    let row = model::load(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(HttpResponse::Ok().json(RefundView::from(row)))
}
