//! `/v1/admin/benefits` and their uses.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};
use serde::Deserialize;

use super::dto::{BenefitChange, BenefitUse, BenefitView, NewBenefit, ServiceUse, UseReleased};
use super::model::{self, Benefit, GivenBy};
use super::{service, uses};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::{BenefitId, BenefitUseId, LevelId, TierId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive, enter_use, list_uses, release_use))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(archive);
    config.service(enter_use).service(list_uses).service(release_use);
}

fn benefit_id(path: &str) -> Result<BenefitId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(app: &App, benefit: Benefit) -> HttpResponse {
    let view = BenefitView::new(benefit, &app.settings.currency);
    HttpResponse::Ok().insert_header(etag(view.version)).json(view)
}

/// Say what members of a tier get, or who stands on a level
#[utoipa::path(
    tag = "admin: catalog",
    request_body = NewBenefit,
    security(("bearer" = [])),
    responses(
        (status = 201, body = BenefitView),
        (status = 404, body = Problem, description = "not_found: no such campaign"),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range, unknown_article"),
    )
)]
#[post("/v1/admin/benefits")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewBenefit>,
) -> Result<HttpResponse> {
    let benefit = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/benefits/{}", benefit.id)))
        .insert_header(etag(benefit.version))
        .json(BenefitView::new(benefit, &app.settings.currency)))
}

/// Which benefits.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BenefitQuery {
    /// Those of this tier …
    pub tier: Option<TierId>,
    /// … or of this level.
    pub level: Option<LevelId>,
    /// 1 to 100; 20 by default.
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// All benefits, archived ones too
#[utoipa::path(
    tag = "admin: catalog",
    params(BenefitQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<BenefitView>))
)]
#[get("/v1/admin/benefits")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    web::Query(query): web::Query<BenefitQuery>,
) -> Result<HttpResponse> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor }.page()?;
    let of = query.tier.map(GivenBy::Tier).or(query.level.map(GivenBy::Level));
    let found = model::list(&mut *db::connect(&app.pool).await?, of, page).await?;
    let view = |benefit| BenefitView::new(benefit, &app.settings.currency);
    Ok(HttpResponse::Ok().json(List::cut(found, page, |benefit| benefit.id.0).map(view)))
}

/// A benefit
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = BenefitId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = BenefitView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/benefits/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let benefit = model::find(&mut *db::connect(&app.pool).await?, benefit_id(&path)?).await?;
    Ok(answer(&app, benefit.ok_or(Code::NotFound)?))
}

/// Change a benefit
///
/// From the next use on.
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = BenefitId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = BenefitChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = BenefitView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/benefits/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<BenefitChange>,
) -> Result<HttpResponse> {
    Ok(answer(&app, service::change(&app, staff.actor, benefit_id(&path)?, seen, body).await?))
}

/// Give a benefit to nobody any more
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = BenefitId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = BenefitView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/benefits/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(&app, service::archive(&app, staff.actor, benefit_id(&path)?).await?))
}

/// A member used a service
///
/// Counted for the period that runs for that member.
#[utoipa::path(
    tag = "admin: members",
    params(("id" = BenefitId, Path), ("Idempotency-Key" = String, Header)),
    request_body = ServiceUse,
    security(("bearer" = [])),
    responses(
        (status = 201, body = BenefitUse),
        (status = 403, body = Problem, description = "members_only, level_required"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description =
            "benefit_used_up, benefit_outranked, benefit_not_in_trial, benefit_not_claimable, membership_frozen, \
             request_in_progress"),
        (status = 422, body = Problem, description = "invalid_field, unknown_benefit, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/benefits/{id}/uses")]
async fn enter_use(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    key: IdempotencyKey,
    path: web::Path<String>,
    Body(body): Body<ServiceUse>,
) -> Result<HttpResponse> {
    let id = benefit_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/benefits/{id}/uses",
        key: key.0,
        body_hash: idempotency::hash(&(id, &body))?,
    };
    let row = service::enter_service(&app, staff.actor, id, &body, &request).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/benefits/{id}/uses")))
        .json(BenefitUse::new(row, &app.settings.currency)))
}

/// Uses of a benefit, newest first
#[utoipa::path(
    tag = "admin: members",
    params(("id" = BenefitId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<BenefitUse>), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/benefits/{id}/uses")]
async fn list_uses(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let (id, page) = (benefit_id(&path)?, query.page()?);
    let mut conn = db::connect(&app.pool).await?;
    model::find(&mut conn, id).await?.ok_or(Code::NotFound)?;
    let found = uses::of_benefit(&mut conn, id, page).await?;
    let view = |row| BenefitUse::new(row, &app.settings.currency);
    Ok(HttpResponse::Ok().json(List::cut(found, page, |row| row.id.0).map(view)))
}

/// Take back a use of a service
///
/// It was entered by mistake, and no longer counts.
#[utoipa::path(
    tag = "admin: members",
    params(("id" = BenefitUseId, Path)),
    request_body = UseReleased,
    security(("bearer" = [])),
    responses(
        (status = 200, body = BenefitUse),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "benefit_not_claimable"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/benefit-uses/{id}/release")]
async fn release_use(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<UseReleased>,
) -> Result<HttpResponse> {
    let id: BenefitUseId = path.parse().map_err(|_| Code::NotFound)?;
    let row = service::release_service(&app, staff.actor, id, &body.reason).await?;
    Ok(HttpResponse::Ok().json(BenefitUse::new(row, &app.settings.currency)))
}
