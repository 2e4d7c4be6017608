//! `/v1/orders/{id}/returns`: the buyer's side.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};

use super::dto::{ReturnRequest, ReturnView, views};
use super::model;
use super::service::{self, NewReturn};
use crate::app::App;
use crate::checkout::orders::access::{OrderBuyer, OrderCaller};
use crate::checkout::orders::dto::order_id;
use crate::checkout::orders::model as orders;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::{OrderId, ReturnId};

/// The route under which the keys of requests are kept.
pub const ROUTE: &str = "POST /v1/orders/{id}/returns";
const CANCEL_ROUTE: &str = "POST /v1/orders/{id}/returns/{return}/cancel";

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, cancel))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(cancel);
}

/// Ask to send goods back
///
/// What was sent can come back, unit by unit, within the return window; what is damaged, wrong or not as described may be
/// asked for later too, and an operator decides.
#[utoipa::path(
    tag = "orders",
    params(("id" = OrderId, Path), ("Idempotency-Key" = String, Header),
        ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    request_body = ReturnRequest,
    security((), ("bearer" = [])),
    responses(
        (status = 201, body = ReturnView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "not_returnable, return_window_over"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/orders/{id}/returns")]
async fn create(
    app: web::Data<App>,
    caller: OrderCaller,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<ReturnRequest>,
) -> Result<HttpResponse> {
    let order = order_id(&path)?;
    let new = NewReturn { order, lines: body.lines()?, reason: body.reason, note: body.note()? };
    let buyer = caller.on(&app, order).await?;
    let request = Request {
        account: buyer.keys,
        route: ROUTE,
        key: key.0,
        body_hash: idempotency::hash(&(order, &body))?,
    };
    let id = service::request(&app, buyer, &new, &request).await?;
    let location = format!("/v1/orders/{order}/returns/{id}");
    let view = own(&app, buyer, order, id).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(view))
}

/// Returns of an order, the first first
#[utoipa::path(
    tag = "orders",
    params(("id" = OrderId, Path), ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    security((), ("bearer" = [])),
    responses(
        (status = 200, body = List<ReturnView>),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/orders/{id}/returns")]
async fn list(app: web::Data<App>, caller: OrderCaller, path: web::Path<String>) -> Result<HttpResponse> {
    let id = order_id(&path)?;
    let buyer = caller.on(&app, id).await?;
    let mut conn = db::connect(&app.pool).await?;
    let order = orders::load(&mut conn, id).await?;
    if !buyer.owns(&order) {
        return Err(Code::NotFound.error());
    }
    let rows = model::of_order(&mut conn, order.id).await?;
    Ok(HttpResponse::Ok().json(List::whole(views(&mut conn, rows, &order.currency).await?)))
}

/// A return
#[utoipa::path(
    tag = "orders",
    params(("id" = OrderId, Path), ("return" = ReturnId, Path),
        ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    security((), ("bearer" = [])),
    responses((status = 200, body = ReturnView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/orders/{id}/returns/{return}")]
async fn show(
    app: web::Data<App>,
    caller: OrderCaller,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse> {
    let (order, id) = ids(&path)?;
    let buyer = caller.on(&app, order).await?;
    Ok(HttpResponse::Ok().json(own(&app, buyer, order, id).await?))
}

/// Withdraw a return that hasn't arrived
#[utoipa::path(
    tag = "orders",
    params(("id" = OrderId, Path), ("return" = ReturnId, Path), ("Idempotency-Key" = String, Header),
        ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    security((), ("bearer" = [])),
    responses(
        (status = 200, body = ReturnView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "wrong_return_state"),
    )
)]
#[post("/v1/orders/{id}/returns/{return}/cancel")]
async fn cancel(
    app: web::Data<App>,
    caller: OrderCaller,
    path: web::Path<(String, String)>,
    key: IdempotencyKey,
) -> Result<HttpResponse> {
    let (order, id) = ids(&path)?;
    let body_hash = idempotency::hash(&id)?;
    let buyer = caller.on(&app, order).await?;
    let request = Request { account: buyer.keys, route: CANCEL_ROUTE, key: key.0, body_hash };
    service::withdraw(&app, buyer, order, id, &request).await?;
    Ok(HttpResponse::Ok().json(own(&app, buyer, order, id).await?))
}

fn ids((order, id): &(String, String)) -> Result<(OrderId, ReturnId)> {
    Ok((order_id(order)?, id.parse().map_err(|_| Code::NotFound)?))
}

async fn own(app: &App, buyer: OrderBuyer, order: OrderId, id: ReturnId) -> Result<ReturnView> {
    let mut conn = db::connect(&app.pool).await?;
    let order = orders::load(&mut conn, order).await?;
    let row = model::load(&mut conn, id).await?;
    if !buyer.owns(&order) || row.order_id != order.id {
        return Err(Code::NotFound.error());
    }
    views(&mut conn, vec![row], &order.currency).await?.pop().ok_or_else(|| Code::NotFound.error())
}
