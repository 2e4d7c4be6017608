//! `/v1/me/membership` and `/v1/members/{number}`.

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, VARY};
use actix_web::{HttpRequest, HttpResponse, get, web};

use super::card::{self, Card};
use super::dto::{MembershipView, NumberView};
use super::rules::{GRACE, gives_access, life};
use super::{reader, views};
use crate::app::App;
use crate::db;
use crate::error::{Code, Result};
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::membership::associates::access;
use crate::people::accounts::model::load_buyer;

#[derive(utoipa::OpenApi)]
#[openapi(paths(show, show_card, check_number))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(show).service(show_card).service(check_number);
}

/// Your membership
///
/// The open one, or the head's whose associate you are, or else the last one, as `expired` or `revoked`.
#[utoipa::path(
    tag = "memberships",
    security(("bearer" = [])),
    responses(
        (status = 200, body = MembershipView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 404, body = Problem, description = "no_membership"),
    )
)]
#[get("/v1/me/membership")]
async fn show(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(reader::own(&app, caller.account).await?))
}

/// Your card
///
/// A page to show or print; with `Accept: image/svg+xml` the picture alone.
#[utoipa::path(
    tag = "memberships",
    security(("bearer" = [])),
    responses(
        (status = 200, content_type = "text/html", body = String),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 404, body = Problem, description = "no_membership"),
    )
)]
#[get("/v1/me/membership/card")]
async fn show_card(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let member = access::member(&conn, caller.account).await?.ok_or(Code::NoMembership)?;
    let locale = load_buyer(&mut conn, caller.account).await?.locale;
    let card = Card {
        number: member.number.ok_or(Code::NoMembership)?,
        tier: member.tier_names.pick(locale).to_owned(),
        name: member.name,
        starts_at: member.row.starts_at,
        ends_at: member.row.ends_at,
        is_valid: gives_access(life(&member.row, app.clock.now(), GRACE)),
        locale,
    };
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let zone = app.settings.timezone;
    let (content_type, body) = if accept.trim_start().starts_with("image/svg+xml") {
        ("image/svg+xml", card::svg(&card, zone))
    } else {
        ("text/html; charset=utf-8", card::page(&card, zone))
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "private, no-store"))
        .insert_header((VARY, "Accept"))
        .content_type(content_type)
        .body(body))
}

/// Is this a member's number?
///
/// Nothing personal.
#[utoipa::path(
    tag = "memberships",
    params(("number" = String, Path, example = "LJ0047")),
    responses(
        (status = 200, body = NumberView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 429, body = Problem, description = "too_many_requests"),
    )
)]
#[get("/v1/members/{number}")]
async fn check_number(app: web::Data<App>, path: web::Path<String>) -> Result<HttpResponse> {
    let number = path.trim().to_ascii_uppercase();
    if !number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Code::NotFound.error());
    }
    let mut conn = db::connect(&app.pool).await?;
    let (account, since) = views::by_number(&mut conn, &number).await?.ok_or(Code::NotFound)?;
    let member = access::member(&conn, account).await?;
    let now = app.clock.now();
    let valid = member.as_ref().is_some_and(|member| gives_access(life(&member.row, now, GRACE)));
    let tier = member.map(|member| member.tier_code);
    Ok(HttpResponse::Ok().json(NumberView { number, valid, tier, since }))
}
