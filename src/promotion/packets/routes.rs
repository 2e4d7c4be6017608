//! `/v1/me/packets`, `/v1/admin/packets` and `/v1/admin/chains`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};
use serde_json::json;

use super::dto::{ChainView, NewChain, NewPacket, NewShopPacket, PacketView};
use super::model::Packet;
use super::{chains, model, service};
use crate::app::App;
use crate::checkout::claims;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, Page, PageQuery};
use crate::db::{self};
use crate::error::{Code, Result};
use crate::http::auth::{Caller, ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::{AccountId, ChainId, PacketId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(make, own, create, list, end, create_chain, list_chains, end_chain))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(make)
        .service(own)
        .service(create)
        .service(list)
        .service(end)
        .service(create_chain)
        .service(list_chains)
        .service(end_chain);
}

/// Put store credit into a red packet
///
/// The first who claim its code share it; what nobody has opened comes back at its end.
#[utoipa::path(
    tag = "coupons",
    params(("Idempotency-Key" = String, Header)),
    request_body = NewPacket,
    security(("bearer" = [])),
    responses(
        (status = 201, body = PacketView),
        (status = 409, body = Problem, description = "credit_insufficient"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/me/packets")]
async fn make(
    app: web::Data<App>,
    caller: Caller,
    key: IdempotencyKey,
    Body(body): Body<NewPacket>,
) -> Result<HttpResponse> {
    let request = Request {
        account: caller.account,
        route: "POST /v1/me/packets",
        key: key.0,
        body_hash: idempotency::hash(&json!([body]))?,
    };
    Ok(created(&service::make(&app, caller.account, &body, &request).await?))
}

fn created(made: &PacketView) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/coupon-campaigns/{}", made.code)))
        .json(made)
}

/// Your red packets, newest first
#[utoipa::path(
    tag = "coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<PacketView>))
)]
#[get("/v1/me/packets")]
async fn own(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    page_of(&app, Some(caller.account), query.page()?).await
}

async fn page_of(app: &App, account: Option<AccountId>, page: Page) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let found = List::cut(model::list(&mut conn, account, page).await?, page, |of: &Packet| of.id.0);
    let pools: Vec<_> = found.data.iter().map(|of| of.pool_id).collect();
    let pools = claims::read(&mut conn, &pools).await?;
    Ok(HttpResponse::Ok().json(found.map(|of| PacketView::new(of, &pools, &app.settings.currency))))
}

/// Make a red packet of the shop's
#[utoipa::path(
    tag = "admin: coupons",
    params(("Idempotency-Key" = String, Header)),
    request_body = NewShopPacket,
    security(("bearer" = [])),
    responses(
        (status = 201, body = PacketView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/packets")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    key: IdempotencyKey,
    Body(body): Body<NewShopPacket>,
) -> Result<HttpResponse> {
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/packets",
        key: key.0,
        body_hash: idempotency::hash(&json!([body]))?,
    };
    Ok(created(&service::make_shops(&app, staff.actor, &body, &request).await?))
}

/// All red packets, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<PacketView>))
)]
#[get("/v1/admin/packets")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    page_of(&app, None, query.page()?).await
}

/// End a red packet: what nobody has opened goes back
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = PacketId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = PacketView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/packets/{id}/end")]
async fn end(app: web::Data<App>, staff: Staff<ManageShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(service::end(&app, staff.actor, id).await?))
}

/// Make a chain of red packets, with its first one
///
/// Who opens a packet of it may start the next by claiming the chain's code, until the links, the budget or the time are over.
#[utoipa::path(
    tag = "admin: coupons",
    request_body = NewChain,
    security(("bearer" = [])),
    responses(
        (status = 201, body = ChainView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/chains")]
async fn create_chain(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewChain>,
) -> Result<HttpResponse> {
    let made = chains::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/coupon-campaigns/{}", made.code)))
        .json(made))
}

/// All chains, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<ChainView>))
)]
#[get("/v1/admin/chains")]
async fn list_chains(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let found = List::cut(model::list_chains(&mut conn, page).await?, page, |of| of.id.0);
    let pools: Vec<_> = found.data.iter().flat_map(|of| [of.links_pool_id, of.budget_pool_id]).collect();
    let pools = claims::read(&mut conn, &pools).await?;
    Ok(HttpResponse::Ok().json(found.map(|of| ChainView::new(of, &pools, &app.settings.currency))))
}

/// End a chain: nobody starts a packet any more
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = ChainId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = ChainView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/chains/{id}/end")]
async fn end_chain(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(chains::end(&app, staff.actor, id).await?))
}
