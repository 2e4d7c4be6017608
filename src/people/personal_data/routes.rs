//! `GET /v1/me/export` and `DELETE /v1/me`.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpResponse, delete, get, web};
use serde::Deserialize;

use super::service::{self, Forfeit};
use crate::app::App;
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::people::passwords::Password;

#[derive(utoipa::OpenApi)]
#[openapi(paths(export, erase))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(export).service(erase);
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    #[schema(value_type = String, format = "password")]
    pub password: Password,
    /// Give up a pending order and the rest of a running term.
    #[serde(default)]
    pub forfeit: bool,
}

/// Everything the shop holds about you
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [])),
    responses(
        (status = 200, body = serde_json::Value),
        (status = 401, body = Problem, description = "unauthenticated"),
    )
)]
#[get("/v1/me/export")]
async fn export(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    let data = service::export(&app, caller.account).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"export.json\""))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(data))
}

/// Erase your account
///
/// Asks for the password again. Refused while an order is pending or a term runs, unless you give them up. Orders,
/// ledgers and the member number stay, anonymous.
#[utoipa::path(
    tag = "accounts",
    request_body = Erasure,
    security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "wrong_password"),
        (status = 409, body = Problem, description = "order_pending, membership_running, payment_in_progress, last_owner"),
        (status = 429, body = Problem, description = "too_many_attempts"),
    )
)]
#[delete("/v1/me")]
async fn erase(app: web::Data<App>, caller: Caller, Body(body): Body<Erasure>) -> Result<HttpResponse> {
    let forfeit = if body.forfeit { Forfeit::Everything } else { Forfeit::Nothing };
    service::erase(&app, caller.account, &body.password, forfeit).await?;
    Ok(HttpResponse::NoContent().finish())
}
