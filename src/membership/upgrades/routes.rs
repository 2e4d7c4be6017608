//! `POST /v1/upgrade-quotes`.

use actix_web::{HttpResponse, post, web};

use super::dto::{UpgradeQuoteRequest, UpgradeQuoteView};
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(quote))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(quote);
}

/// What a change to a higher tier would cost
///
/// What you paid for the time that is left is credited. Nothing changes before the upgrade is ordered and paid; the amount is
/// then the quoted one. A quote is good for 15 minutes, and while the membership stays as it is.
#[utoipa::path(
    tag = "memberships",
    request_body = UpgradeQuoteRequest,
    security(("bearer" = [])),
    responses(
        (status = 201, body = UpgradeQuoteView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 409, body = Problem, description =
            "membership_not_open, membership_frozen, not_an_upgrade, upgrade_not_sold, already_for_life"),
        (status = 422, body = Problem, description = "invalid_field, unknown_plan"),
    )
)]
#[post("/v1/upgrade-quotes")]
async fn quote(
    app: web::Data<App>,
    caller: Caller,
    Body(body): Body<UpgradeQuoteRequest>,
) -> Result<HttpResponse> {
    let quote = service::quote(&app, caller.account, body.plan, body.mode).await?;
    Ok(HttpResponse::Created().json(UpgradeQuoteView::new(quote, &app.settings.currency)))
}
