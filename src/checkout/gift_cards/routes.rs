//! Gift cards, for who holds one.

use actix_web::{HttpRequest, HttpResponse, post, web};

use super::dto::{GiftAnswer, GiftCode, Redeemed};
use super::service;
use crate::app::App;
use crate::checkout::credit::routes::view;
use crate::db::idempotency::{self, Request};
use crate::db::page::PageQuery;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::http::auth::{Caller, MaybeCaller};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::promotion::coupons::attempts::Guesses;
use crate::types::id::AccountId;
use crate::types::money::Money;

#[derive(utoipa::OpenApi)]
#[openapi(paths(check, redeem))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(check).service(redeem);
}

/// Counts a code that names nothing, before anything is told.
async fn guard(
    app: &App,
    conn: &mut Conn,
    account: Option<AccountId>,
    request: &HttpRequest,
    typed: &str,
) -> Result<()> {
    let guesses = Guesses::by(app, account, request);
    guesses.check(conn).await?;
    if service::is_known(conn, typed).await? { Ok(()) } else { guesses.count(conn, 1).await }
}

/// What is this gift code, and can it be redeemed?
#[utoipa::path(
    tag = "credit",
    request_body = GiftCode,
    security((), ("bearer" = [])),
    responses(
        (status = 200, body = GiftAnswer),
        (status = 422, body = Problem, description = "unknown_gift_card"),
        (status = 429, body = Problem, description = "too_many_requests, too_many_attempts"),
    )
)]
#[post("/v1/gifts/check")]
async fn check(
    app: web::Data<App>,
    request: HttpRequest,
    caller: MaybeCaller,
    Body(body): Body<GiftCode>,
) -> Result<HttpResponse> {
    let account = caller.0.map(|caller| caller.account);
    let mut conn = db::connect(&app.pool).await?;
    guard(&app, &mut conn, account, &request, &body.code).await?;
    let answer = service::check(&mut conn, &body.code, locale_of(&request), app.clock.now()).await?;
    Ok(HttpResponse::Ok().json(answer))
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
    guard(&app, &mut *db::connect(&app.pool).await?, Some(caller.account), &request, &body.code).await?;
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
