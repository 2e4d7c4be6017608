//! `/v1/accounts` and `/v1/me`.

use actix_web::http::header::{ACCEPT_LANGUAGE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, get, patch, post, web};

use super::dto::{Account, ProfilePatch, SignUp};
use super::service;
use crate::app::App;
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(sign_up, show, update))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(sign_up).service(show).service(update);
}

/// Sign up
///
/// A mail goes out to verify the address. One may sign in, order and pay before it is verified.
#[utoipa::path(
    tag = "accounts",
    request_body = SignUp,
    responses(
        (status = 201, body = Account),
        (status = 409, body = Problem, description = "email_taken"),
        (status = 422, body = Problem, description = "weak_password, invalid_field"),
        (status = 429, body = Problem, description = "too_many_requests"),
        (status = 503, body = Problem, description = "busy"),
    )
)]
#[post("/v1/accounts")]
async fn sign_up(
    request: HttpRequest,
    app: web::Data<App>,
    Body(body): Body<SignUp>,
) -> Result<HttpResponse> {
    let language = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let account = service::sign_up(&app, &body, language).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, "/v1/me")).json(account))
}

/// Your account
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [])),
    responses((status = 200, body = Account), (status = 401, body = Problem, description = "unauthenticated"))
)]
#[get("/v1/me")]
async fn show(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service::show(&app, caller.account).await?))
}

/// Change your account
///
/// What is left out stays; `null` clears a name. A new address needs the password, and takes effect when it is verified
/// by the mail that goes to it; until then it is `pending_email`.
#[utoipa::path(
    tag = "accounts",
    request_body = ProfilePatch,
    security(("bearer" = [])),
    responses(
        (status = 200, body = Account),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "wrong_password"),
        (status = 409, body = Problem, description = "email_taken"),
        (status = 422, body = Problem, description = "invalid_field, weak_password"),
        (status = 429, body = Problem, description = "too_many_attempts"),
    )
)]
#[patch("/v1/me")]
async fn update(app: web::Data<App>, caller: Caller, Body(body): Body<ProfilePatch>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service::update(&app, caller, &body).await?))
}
