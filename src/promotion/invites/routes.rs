//! `/v1/me/invite-code`.

use actix_web::{HttpResponse, get, web};

use super::dto::InviteCode;
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::http::auth::Caller;

#[derive(utoipa::OpenApi)]
#[openapi(paths(show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(show);
}

/// Your invite code and its link
///
/// Every account has one; it is made when it is first asked for.
#[utoipa::path(
    tag = "invites",
    security(("bearer" = [])),
    responses((status = 200, body = InviteCode))
)]
#[get("/v1/me/invite-code")]
async fn show(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service::own(&app, caller.account).await?))
}
