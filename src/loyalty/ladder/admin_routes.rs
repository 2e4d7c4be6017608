//! `/v1/admin/stages`, and the steps of one account.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};
use serde_json::json;

use super::dto::{NewStage, StageChange, StageStep, StageView};
use super::model::{self, StageChangeRow};
use super::rules::Stage;
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::loyalty::levels::service::is_there;
use crate::types::id::{AccountId, StageId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, create, change, archive, steps))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(create).service(change).service(archive).service(steps);
}

fn stage_id(path: &str) -> Result<StageId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(stage: Stage) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(stage.version)).json(StageView::from(stage))
}

/// The ladder, from the lowest stage up, archived ones too
#[utoipa::path(
    tag = "admin: levels",
    security(("bearer" = [])),
    responses((status = 200, body = Vec<StageView>))
)]
#[get("/v1/admin/stages")]
async fn list(app: web::Data<App>, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let stages = model::all(&mut *db::connect(&app.pool).await?).await?;
    let shown: Vec<_> = stages.into_iter().map(StageView::from).collect();
    Ok(HttpResponse::Ok().json(json!({ "data": shown })))
}

/// Add a stage to the ladder
///
/// Everybody is looked at soon, and every day.
#[utoipa::path(
    tag = "admin: levels",
    request_body = NewStage,
    security(("bearer" = [])),
    responses(
        (status = 201, body = StageView),
        (status = 409, body = Problem, description = "code_taken, rank_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/stages")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewStage>,
) -> Result<HttpResponse> {
    let stage = service::create(&app, staff.actor, &body).await?;
    let location = format!("/v1/admin/stages/{}", stage.id);
    let created = HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header(etag(stage.version))
        .json(StageView::from(stage));
    Ok(created)
}

/// Change a stage
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = StageId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = StageChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = StageView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "rank_taken"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/stages/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<StageChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, stage_id(&path)?, seen, body).await?))
}

/// Take a stage off the ladder
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = StageId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = StageView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/stages/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::archive(&app, staff.actor, stage_id(&path)?).await?))
}

/// A member's steps on the ladder, newest first, each with its reason
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = AccountId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<StageStep>), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/accounts/{id}/stage-steps")]
async fn steps(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let (account, page): (AccountId, _) = (path.parse().map_err(|_| Code::NotFound)?, query.page()?);
    let mut conn = db::connect(&app.pool).await?;
    is_there(&mut conn, account).await?;
    let stages = model::all(&mut conn).await?;
    let rows = model::changes(&mut conn, account, page).await?;
    let steps = List::cut(rows, page, |row: &StageChangeRow| row.id.0);
    Ok(HttpResponse::Ok().json(steps.map(|row| StageStep::new(row, &stages))))
}
