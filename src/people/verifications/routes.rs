//! `/v1/email-verifications` and `/v1/me/email-verifications`.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;

use super::service;
use crate::app::App;
use crate::error::Result;
use crate::http::auth::{Caller, MaybeCaller};
use crate::http::body::Body;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(verify, resend))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(verify).service(resend);
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Of the mail.
    pub token: String,
}

/// Verify an address
///
/// With the token of the mail that followed sign-up or a change of address. Sent signed in to that account, orders that guests
/// placed under this address are the account's from then on.
#[utoipa::path(
    tag = "accounts",
    request_body = Verification,
    security((), ("bearer" = [])),
    responses(
        (status = 204),
        (status = 409, body = Problem, description = "email_taken"),
        (status = 410, body = Problem, description = "token_invalid"),
    )
)]
#[post("/v1/email-verifications")]
async fn verify(
    app: web::Data<App>,
    caller: MaybeCaller,
    Body(body): Body<Verification>,
) -> Result<HttpResponse> {
    service::redeem(&app, &body.token, caller.0.map(|caller| caller.account)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Have the verification mail sent again
///
/// Does nothing where the address is verified.
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [])),
    responses(
        (status = 202),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 429, body = Problem, description = "too_many_attempts"),
    )
)]
#[post("/v1/me/email-verifications")]
async fn resend(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    service::resend(&app, caller.account).await?;
    Ok(HttpResponse::Accepted().finish())
}
