//! `/v1/me/billing-portal`.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpResponse, get, post, web};

use super::dto::{PortalRequest, PortalVisit};
use super::model::Visit;
use super::service;
use crate::app::App;
use crate::checkout::orders::rules::check_return_url;
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::PortalVisitId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(begin, show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(begin).service(show);
}

/// Look after your saved cards
///
/// Answers Stripe's page for them, where one can be removed, or another one saved for the next charge.
#[utoipa::path(
    tag = "memberships",
    request_body = PortalRequest,
    security(("bearer" = [])),
    responses(
        (status = 201, body = PortalVisit),
        (status = 409, body = Problem, description = "no_saved_card"),
        (status = 422, body = Problem, description = "url_not_allowed"),
    )
)]
#[post("/v1/me/billing-portal")]
async fn begin(app: web::Data<App>, caller: Caller, Body(body): Body<PortalRequest>) -> Result<HttpResponse> {
    check_return_url("return_url", &body.return_url, &app.settings.allowed_origins)?;
    let visit = service::visit(&app, caller.account, &body.return_url).await?;
    let location = format!("/v1/me/billing-portal/{}", visit.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "private, no-store"))
        .json(shown(visit)))
}

/// A page for saved cards that was asked for
#[utoipa::path(
    tag = "memberships",
    params(("id" = PortalVisitId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = PortalVisit), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/me/billing-portal/{id}")]
async fn show(app: web::Data<App>, caller: Caller, id: web::Path<PortalVisitId>) -> Result<HttpResponse> {
    let visit = service::find(&app, caller.account, *id).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "private, no-store")).json(shown(visit)))
}

fn shown(visit: Visit) -> PortalVisit {
    PortalVisit { id: visit.id, url: visit.url, failure: visit.failure }
}
