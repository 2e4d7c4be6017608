//! `/v1/admin/plans`. What everybody sees of plans is served by the catalog.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{NewPlan, PlanChange, PlanFilter, PlanView};
use super::model::Plan;
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::PlanId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(archive);
}

/// Make a plan
#[utoipa::path(
    tag = "admin: catalog",
    request_body = NewPlan,
    security(("bearer" = [])),
    responses(
        (status = 201, body = PlanView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/plans")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewPlan>,
) -> Result<HttpResponse> {
    let plan = service::create(&app, staff.actor, &body).await?;
    let location = format!("/v1/admin/plans/{}", plan.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header(etag(plan.version))
        .json(PlanView::from(plan)))
}

/// All plans, archived ones too
#[utoipa::path(
    tag = "admin: catalog",
    params(PageQuery, PlanFilter),
    security(("bearer" = [])),
    responses((status = 200, body = List<PlanView>))
)]
#[get("/v1/admin/plans")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
    filter: web::Query<PlanFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, filter.tier, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |plan| plan.id.0).map(PlanView::from)))
}

/// A plan
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = PlanId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = PlanView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/plans/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = id(&path)?;
    let plan = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(answer(plan.ok_or(Code::NotFound)?))
}

/// Change a plan
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = PlanId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = PlanChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = PlanView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/plans/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<PlanChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, id(&path)?, seen, body).await?))
}

/// Take a plan off the shelf
#[utoipa::path(
    tag = "admin: catalog",
    params(("id" = PlanId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = PlanView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "in_use"),
    )
)]
#[post("/v1/admin/plans/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::archive(&app, staff.actor, id(&path)?).await?))
}

fn id(path: &str) -> Result<PlanId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(plan: Plan) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(plan.version)).json(PlanView::from(plan))
}
