//! `/v1/admin/offers`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{NewOffer, OfferChange, OfferView};
use super::model::{self, Offer};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::OfferId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(archive);
}

fn offer_id(path: &str) -> Result<OfferId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(app: &App, offer: Offer) -> HttpResponse {
    let view = OfferView::new(offer, &app.settings.currency);
    HttpResponse::Ok().insert_header(etag(view.version)).json(view)
}

/// Make an offer
#[utoipa::path(
    tag = "admin: offers",
    request_body = NewOffer,
    security(("bearer" = [])),
    responses(
        (status = 201, body = OfferView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range, unknown_article"),
    )
)]
#[post("/v1/admin/offers")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewOffer>,
) -> Result<HttpResponse> {
    let offer = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/offers/{}", offer.id)))
        .insert_header(etag(offer.version))
        .json(OfferView::new(offer, &app.settings.currency)))
}

/// All offers, archived ones too
#[utoipa::path(
    tag = "admin: offers",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<OfferView>))
)]
#[get("/v1/admin/offers")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let offers = model::list(&mut *db::connect(&app.pool).await?, page).await?;
    let view = |offer| OfferView::new(offer, &app.settings.currency);
    Ok(HttpResponse::Ok().json(List::cut(offers, page, |offer| offer.id.0).map(view)))
}

/// An offer
#[utoipa::path(
    tag = "admin: offers",
    params(("id" = OfferId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = OfferView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/offers/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let offer = model::find(&mut *db::connect(&app.pool).await?, offer_id(&path)?).await?;
    Ok(answer(&app, offer.ok_or(Code::NotFound)?))
}

/// Change an offer
#[utoipa::path(
    tag = "admin: offers",
    params(("id" = OfferId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = OfferChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = OfferView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/offers/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<OfferChange>,
) -> Result<HttpResponse> {
    Ok(answer(&app, service::change(&app, staff.actor, offer_id(&path)?, seen, body).await?))
}

/// End an offer for good
#[utoipa::path(
    tag = "admin: offers",
    params(("id" = OfferId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = OfferView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/offers/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(&app, service::archive(&app, staff.actor, offer_id(&path)?).await?))
}
