//! `/v1/admin/upgrade-offers`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{AdminUpgradeOffer, NewUpgradeOffer, UpgradeOfferChange};
use super::{model, operators};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::UpgradeOfferId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(archive);
}

fn offer_id(path: &str) -> Result<UpgradeOfferId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(of: AdminUpgradeOffer) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(of.version)).json(of)
}

/// Offer members of a lower tier a plan at another price
#[utoipa::path(
    tag = "admin: upgrade offers",
    request_body = NewUpgradeOffer,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AdminUpgradeOffer),
        (status = 409, body = Problem, description = "code_taken, upgrade_not_sold"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range, unknown_plan"),
    )
)]
#[post("/v1/admin/upgrade-offers")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewUpgradeOffer>,
) -> Result<HttpResponse> {
    let of = operators::create(&app, staff.actor, &body).await?;
    let location = format!("/v1/admin/upgrade-offers/{}", of.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).insert_header(etag(of.version)).json(of))
}

/// All upgrade offers, archived ones too, newest first
#[utoipa::path(
    tag = "admin: upgrade offers",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<AdminUpgradeOffer>))
)]
#[get("/v1/admin/upgrade-offers")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let page_of = List::cut(model::list(&mut conn, page).await?, page, |of| of.id.0);
    let data = operators::views(&mut conn, page_of.data, &app.settings.currency).await?;
    Ok(HttpResponse::Ok().json(List { data, next_cursor: page_of.next_cursor }))
}

/// An upgrade offer, with how far its limits are used
#[utoipa::path(
    tag = "admin: upgrade offers",
    params(("id" = UpgradeOfferId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminUpgradeOffer), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/upgrade-offers/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    Ok(answer(operators::show(&app, offer_id(&path)?).await?))
}

/// Change an upgrade offer's names, end, limits and mails
#[utoipa::path(
    tag = "admin: upgrade offers",
    params(
        ("id" = UpgradeOfferId, Path),
        ("If-Match" = String, Header, description = "the ETag that you read"),
    ),
    request_body = UpgradeOfferChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminUpgradeOffer),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "closed, limit_below_uses"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/upgrade-offers/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<UpgradeOfferChange>,
) -> Result<HttpResponse> {
    Ok(answer(operators::change(&app, staff.actor, offer_id(&path)?, seen, &body).await?))
}

/// End an upgrade offer for good; orders that were placed keep it
#[utoipa::path(
    tag = "admin: upgrade offers",
    params(("id" = UpgradeOfferId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminUpgradeOffer), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/upgrade-offers/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(operators::archive(&app, staff.actor, offer_id(&path)?).await?))
}
