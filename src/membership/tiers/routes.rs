//! `/v1/admin/tiers`. What everybody sees of tiers is served by the catalog.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{NewTier, TierChange, TierView};
use super::model::Tier;
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::TierId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(archive);
}

/// Make a tier
#[utoipa::path(
    tag = "admin: catalog",
    request_body = NewTier,
    security(("bearer" = [])),
    responses(
        (status = 201, body = TierView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/tiers")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewTier>,
) -> Result<HttpResponse> {
    let tier = service::create(&app, staff.actor, &body).await?;
    let location = format!("/v1/admin/tiers/{}", tier.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header(etag(tier.version))
        .json(TierView::from(tier)))
}

/// All tiers, archived ones too
#[utoipa::path(
    tag = "admin: catalog",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<TierView>))
)]
#[get("/v1/admin/tiers")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |tier| tier.id.0).map(TierView::from)))
}

/// A tier
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = TierId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = TierView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/tiers/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = id(&path)?;
    let tier = model::find(&*db::connect(&app.pool).await?, id).await?;
    Ok(answer(tier.ok_or(Code::NotFound)?))
}

/// Change a tier
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = TierId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = TierChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = TierView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/tiers/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<TierChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, id(&path)?, seen, body).await?))
}

/// Take a tier off the shelf
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = TierId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = TierView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "in_use"),
    )
)]
#[post("/v1/admin/tiers/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::archive(&app, staff.actor, id(&path)?).await?))
}

fn id(path: &str) -> Result<TierId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(tier: Tier) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(tier.version)).json(TierView::from(tier))
}
