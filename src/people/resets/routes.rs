//! `/v1/password-resets`.

use actix_web::{HttpResponse, post, put, web};
use serde::Deserialize;

use super::service;
use crate::app::App;
use crate::error::Result;
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::people::passwords::Password;
use crate::types::email::Email;

#[derive(utoipa::OpenApi)]
#[openapi(paths(request, redeem))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(request).service(redeem);
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetRequest {
    #[schema(value_type = String, format = "email", example = "zhang@example.org")]
    pub email: Email,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// Of the mail.
    pub token: String,
    /// 8 to 128 characters, none that many people use.
    #[schema(value_type = String, format = "password")]
    pub password: Password,
}

/// Ask for a mail to set a new password
///
/// The answer is the same whether the address is known or not.
#[utoipa::path(
    tag = "accounts",
    request_body = ResetRequest,
    responses((status = 202), (status = 422, body = Problem, description = "invalid_field"))
)]
#[post("/v1/password-resets")]
async fn request(app: web::Data<App>, Body(body): Body<ResetRequest>) -> Result<HttpResponse> {
    service::request(&app, &body.email).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Set a new password
///
/// All sessions end.
#[utoipa::path(
    tag = "accounts",
    request_body = NewPassword,
    responses(
        (status = 204),
        (status = 410, body = Problem, description = "token_invalid"),
        (status = 422, body = Problem, description = "weak_password, invalid_field"),
        (status = 503, body = Problem, description = "busy"),
    )
)]
#[put("/v1/password-resets")]
async fn redeem(app: web::Data<App>, Body(body): Body<NewPassword>) -> Result<HttpResponse> {
    service::redeem(&app, &body.token, &body.password).await?;
    Ok(HttpResponse::NoContent().finish())
}
