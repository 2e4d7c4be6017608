//! `POST /v1/gifts/{check, redeem}`, for who holds a code.

use actix_web::{HttpRequest, HttpResponse, post, web};

use super::dto::{GiftAnswer, RedeemedGift};
use super::{model, service};
use crate::app::App;
use crate::checkout::gift_cards::service as gift_cards;
use crate::checkout::gift_codes::dto::GiftCode;
use crate::checkout::gift_codes::guesses::guard;
use crate::db::idempotency::{self, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::http::auth::{Caller, MaybeCaller};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::language::locale_of;
use crate::http::problem::Problem;
use crate::membership::memberships::model::find_term;
use crate::membership::memberships::reader as memberships;

#[derive(utoipa::OpenApi)]
#[openapi(paths(check, redeem))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(check).service(redeem);
}

/// What is this gift code, and can it be redeemed?
///
/// A gift card's or a gift membership's. Signed in, the answer is about you.
#[utoipa::path(
    tag = "memberships",
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
    let (mut card, mut gift) = (None, None);
    let is_known = async |conn: &mut Conn| {
        card = gift_cards::find_code(conn, &body.code).await?;
        gift = service::find_code(conn, &body.code).await?;
        Ok(card.is_some() || gift.is_some())
    };
    guard(&app, &mut conn, account, &request, is_known).await?;
    let (locale, now) = (locale_of(&request), app.clock.now());
    let answer = match (card, gift) {
        (Some(card), _) => GiftAnswer::of_card(&card, locale, now),
        (None, Some(gift)) => service::check(&mut conn, &gift, account, locale, now).await?,
        (None, None) => return Err(Code::UnknownGiftCard.at("code", "there is no such code")),
    };
    Ok(HttpResponse::Ok().json(answer))
}

/// Redeem a gift membership
///
/// It is added to what you have: from the end of a membership of the same tier, or as a new one from now. While another tier
/// runs it is refused with the time from which it can be redeemed, and stays good.
#[utoipa::path(
    tag = "memberships",
    params(("Idempotency-Key" = String, Header)),
    request_body = GiftCode,
    security(("bearer" = [])),
    responses(
        (status = 200, body = RedeemedGift),
        (status = 409, body = Problem, description =
            "gift_redeemed, gift_void, gift_held, gift_expired, other_tier_runs, membership_order_pending, \
             membership_frozen, membership_revoked, already_for_life, request_in_progress"),
        (status = 422, body = Problem, description = "unknown_gift, idempotency_key_reused"),
        (status = 429, body = Problem, description = "too_many_requests, too_many_attempts"),
    )
)]
#[post("/v1/gifts/redeem")]
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
        route: "POST /v1/gifts/redeem",
        key: key.0,
        body_hash: idempotency::hash(&body)?,
    };
    let id = service::redeem(&app, caller.account, &body.code, &request).await?;
    let mut conn = db::connect(&app.pool).await?;
    let gift = model::load(&mut conn, id).await?;
    let term = match gift.term_id {
        Some(term) => find_term(&mut conn, term).await?,
        None => None,
    };
    let term = term.ok_or_else(|| AppError::internal("a redeemed gift without its term"))?;
    drop(conn);
    Ok(HttpResponse::Ok().json(RedeemedGift {
        id,
        plan: gift.plan_id,
        starts_at: term.starts_at,
        ends_at: term.ends_at,
        membership: memberships::own(&app, caller.account).await?,
    }))
}
