//! `POST /v1/renewal-links` and `POST /v1/renewal-links/stop`: what the links of renewal mails do, without signing in.

use actix_web::{HttpRequest, HttpResponse, post, web};

use super::dto::{LinkedOrder, RenewalLink, RenewalPayment};
use super::service;
use crate::app::App;
use crate::checkout::orders::dto::coupon_codes;
use crate::checkout::orders::waiting::{WAIT_MAX, WaitFor};
use crate::db;
use crate::error::Result;
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::promotion::coupons::attempts::guard;

#[derive(utoipa::OpenApi)]
#[openapi(paths(pay, stop))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(pay).service(stop);
}

/// Pay your next term by the link of a mail
///
/// Orders it, or finds the order that waits, and answers once its payment page is ready. The term goes on from the old end. With
/// other coupon codes than the order that waits has, that one is to be paid, or to run out, first.
#[utoipa::path(
    tag = "memberships",
    request_body = RenewalPayment,
    responses(
        (status = 201, body = LinkedOrder),
        (status = 409, body = Problem, description =
            "membership_not_open, already_for_life, membership_frozen, renewal_not_offered, use_upgrade_quote, \
             membership_order_pending"),
        (status = 410, body = Problem, description = "token_invalid"),
        (status = 422, body = Problem, description = "coupon_refused, invalid_field"),
        (status = 429, body = Problem, description = "too_many_attempts"),
    )
)]
#[post("/v1/renewal-links")]
async fn pay(
    app: web::Data<App>,
    request: HttpRequest,
    Body(body): Body<RenewalPayment>,
) -> Result<HttpResponse> {
    let codes = coupon_codes(&body.coupon_codes)?;
    let account = service::owner_of(&app, &body.token).await?;
    guard(&app, &mut *db::connect(&app.pool).await?, Some(account), &request, &codes).await?;
    let order = service::order_by_link(&app, account, codes).await?;
    app.waiting.wait(order, WaitFor::Payment, WAIT_MAX).await;
    Ok(HttpResponse::Created().json(service::linked(&app, order).await?))
}

/// Don't charge the saved card, by the link of a mail
#[utoipa::path(
    tag = "memberships",
    request_body = RenewalLink,
    responses(
        (status = 204),
        (status = 409, body = Problem, description = "membership_not_open, already_for_life"),
        (status = 410, body = Problem, description = "token_invalid"),
    )
)]
#[post("/v1/renewal-links/stop")]
async fn stop(app: web::Data<App>, Body(body): Body<RenewalLink>) -> Result<HttpResponse> {
    let account = service::owner_of(&app, &body.token).await?;
    service::stop_by_link(&app, account).await?;
    Ok(HttpResponse::NoContent().finish())
}
