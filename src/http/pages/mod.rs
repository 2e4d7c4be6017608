//! The first page, and the pages that links in mails lead to where the shop has no storefront of its own. Opening one changes nothing (mail
//! programs look at links ahead of people): a button does, by a call of the API. The token never leaves the page
//! otherwise: no log has the query, no referrer goes out, and the address bar is cleaned.

use std::sync::LazyLock;

use actix_web::{HttpResponse, get, web};
use utoipa::OpenApi;

use super::page::Page;

const STYLE: &str = include_str!("style.css");

static VERIFY: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("verify.html"), STYLE, include_str!("verify.js")));
static RESET: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("reset.html"), STYLE, include_str!("reset.js")));
static WITHDRAWAL: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("withdrawal.html"), STYLE, include_str!("withdrawal.js")));

/// The withdrawal's page has one button, as these have.
static RENEW: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("withdrawal.html"), STYLE, include_str!("renew.js")));
static STOP_RENEWAL: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("withdrawal.html"), STYLE, include_str!("stop_renewal.js")));
static UNSUBSCRIBE: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("unsubscribe.html"), STYLE, include_str!("unsubscribe.js")));

static HOME: LazyLock<Page> = LazyLock::new(|| {
    let page = include_str!("home.html").replace("{version}", env!("CARGO_PKG_VERSION"));
    Page::new(&page, STYLE, "")
});

#[derive(OpenApi)]
#[openapi(paths(verify_email, reset_password, stop_withdrawal, leave_list, renew, stop_renewal))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(verify_email).service(reset_password).service(stop_withdrawal).service(leave_list);
    config.service(renew).service(stop_renewal);
}

/// The first page, for people who open the shop's address: no part of the API. The demo has one of its own.
pub fn configure_home(config: &mut web::ServiceConfig) {
    config.service(web::resource("/").route(web::get().to(home)).route(web::head().to(home)));
}

async fn home() -> HttpResponse {
    HOME.answer()
}

/// The page behind the link of a verification mail
///
/// It acts by `POST /v1/email-verifications` when its button is pressed.
#[utoipa::path(
    tag = "pages",
    params(("token" = Option<String>, Query, description = "the one-time token of the mail")),
    responses((status = 200, content_type = "text/html", body = String))
)]
#[get("/verify-email")]
async fn verify_email() -> HttpResponse {
    VERIFY.answer()
}

/// The page behind the link of a password reset mail
///
/// It acts by `PUT /v1/password-resets` when its form is sent.
#[utoipa::path(
    tag = "pages",
    params(("token" = Option<String>, Query, description = "the one-time token of the mail")),
    responses((status = 200, content_type = "text/html", body = String))
)]
#[get("/reset-password")]
async fn reset_password() -> HttpResponse {
    RESET.answer()
}

/// The page behind the link that stops a withdrawal
///
/// It acts by `POST /v1/withdrawals/stop` when its button is pressed.
#[utoipa::path(
    tag = "pages",
    params(("token" = Option<String>, Query, description = "the one-time token of the mail")),
    responses((status = 200, content_type = "text/html", body = String))
)]
#[get("/stop-withdrawal")]
async fn stop_withdrawal() -> HttpResponse {
    WITHDRAWAL.answer()
}

/// The page behind the link by which a member pays his next term
///
/// It acts by `POST /v1/renewal-links` when its button is pressed, and goes on to the payment page.
#[utoipa::path(
    tag = "pages",
    params(("token" = Option<String>, Query, description = "the token of the mail")),
    responses((status = 200, content_type = "text/html", body = String))
)]
#[get("/renew")]
async fn renew() -> HttpResponse {
    RENEW.answer()
}

/// The page behind the link that keeps the saved card from being charged
///
/// It acts by `POST /v1/renewal-links/stop` when its button is pressed.
#[utoipa::path(
    tag = "pages",
    params(("token" = Option<String>, Query, description = "the token of the mail")),
    responses((status = 200, content_type = "text/html", body = String))
)]
#[get("/stop-renewal")]
async fn stop_renewal() -> HttpResponse {
    STOP_RENEWAL.answer()
}

/// The page behind the link out of a list of mails
///
/// It acts by `POST /v1/unsubscribe` when its button is pressed.
#[utoipa::path(
    tag = "pages",
    params(("t" = Option<String>, Query, description = "of the mail")),
    responses((status = 200, content_type = "text/html", body = String))
)]
#[get("/v1/unsubscribe")]
async fn leave_list() -> HttpResponse {
    UNSUBSCRIBE.answer()
}
