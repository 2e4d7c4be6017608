//! Gift cards, for who holds one.

use actix_web::{HttpRequest, HttpResponse, post, web};

use super::dto::Redeemed;
use super::service;
use crate::app::App;
use crate::checkout::credit::routes::view;
use crate::checkout::gift_codes::dto::GiftCode;
use crate::checkout::gift_codes::guesses::guard;
use crate::db::idempotency::{self, Request};
use crate::db::page::PageQuery;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::money::Money;

#[derive(utoipa::OpenApi)]
#[openapi(paths(redeem))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(redeem);
}

/// Turn a gift card into store credit
#[utoipa::path(
    tag = "credit",
    params(("Idempotency-Key" = String, Header)),
    request_body = GiftCode,
    security(("bearer" = [])),
    responses(
        (status = 200, body = Redeemed),
        (status = 409, body = Problem,
            description = "gift_card_redeemed, gift_card_void, gift_card_held, gift_card_expired"),
        (status = 422, body = Problem, description = "unknown_gift_card"),
        (status = 429, body = Problem, description = "too_many_requests, too_many_attempts"),
    )
)]
#[post("/v1/gift-cards/redeem")]
async fn redeem(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Caller,
    key: IdempotencyKey,
    Body(body): Body<GiftCode>,
) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let is_known = async |conn: &mut Conn| Ok(service::find_code(conn, &body.code).await?.is_some());
    guard(&app, &mut conn, Some(caller.account), &request, is_known).await?;
    drop(conn);
    let request = Request {
        account: caller.account,
        route: "POST /v1/gift-cards/redeem",
        key: key.0,
        body_hash: idempotency::hash(&body)?,
    };
    let card = service::redeem(&app, caller.account, &body.code, &request).await?;
    let mut conn = db::connect(&app.pool).await?;
    let credit = view(&mut conn, &app, caller.account, &PageQuery::default()).await?;
    Ok(HttpResponse::Ok().json(Redeemed { amount: Money::new(card.amount_minor, &card.currency), credit }))
}
