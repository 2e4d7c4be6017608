//! `POST /v1/upgrade-quotes`, `GET /v1/me/upgrade-offers`.

use actix_web::{HttpResponse, get, post, web};

use super::dto::{UpgradeOffers, UpgradeQuoteRequest, UpgradeQuoteView};
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(quote, own))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(quote).service(own);
}

/// What a change to a higher tier would cost
///
/// What you paid for the time that is left is credited. Nothing changes before the upgrade is ordered and paid;
/// the amount is then the quoted one. A quote is good for 15 minutes, and while the membership stays as it is;
/// by an offer no longer than the offer. Nothing of the offer is held before the order: it may be used up by
/// then (`sold_out`).
#[utoipa::path(
    tag = "memberships",
    request_body = UpgradeQuoteRequest,
    security(("bearer" = [])),
    responses(
        (status = 201, body = UpgradeQuoteView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "not_entitled: `errors` says what is missing"),
        (status = 409, body = Problem, description =
            "membership_not_open, membership_frozen, not_an_upgrade, upgrade_not_sold, already_for_life; of the \
             offer not_open, closed, one_per_person, sold_out"),
        (status = 422, body = Problem, description = "invalid_field, unknown_plan, unknown_upgrade_offer"),
    )
)]
#[post("/v1/upgrade-quotes")]
async fn quote(
    app: web::Data<App>,
    caller: Caller,
    Body(body): Body<UpgradeQuoteRequest>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Created().json(service::quote(&app, caller.account, &body).await?))
}

/// Offers for your membership
///
/// Those that you are entitled to (`met`), and how far you are from the others. Name one to be quoted by it.
#[utoipa::path(
    tag = "memberships",
    security(("bearer" = [])),
    responses(
        (status = 200, body = UpgradeOffers),
        (status = 401, body = Problem, description = "unauthenticated"),
    )
)]
#[get("/v1/me/upgrade-offers")]
async fn own(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(UpgradeOffers { data: service::own(&app, caller.account).await? }))
}
