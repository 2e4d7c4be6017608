//! `/v1/admin/levels`, and the level of one account.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, patch, post, web};

use super::dto::{
    LevelChange, LevelChangeView, LevelView, ManualLevel, ManualLevelEnd, NewLevel, OwnLevelView,
};
use super::model::{self, ChangeRow};
use super::rules::Level;
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::language::locale_of;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::{AccountId, LevelId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive, of_account, changes, give, take_back))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(archive)
        .service(of_account)
        .service(changes)
        .service(give)
        .service(take_back);
}

fn level_id(path: &str) -> Result<LevelId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn account_id(path: &str) -> Result<AccountId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(level: Level) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(level.version)).json(LevelView::from(level))
}

/// Add a level
///
/// Everybody is looked at soon: who has reached it is raised at once.
#[utoipa::path(
    tag = "admin: levels",
    request_body = NewLevel,
    security(("bearer" = [])),
    responses(
        (status = 201, body = LevelView),
        (status = 409, body = Problem, description = "code_taken, rank_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/levels")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewLevel>,
) -> Result<HttpResponse> {
    let level = service::create(&app, staff.actor, &body).await?;
    let created = HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/levels/{}", level.id)))
        .insert_header(etag(level.version))
        .json(LevelView::from(level));
    Ok(created)
}

/// All levels, archived ones too
#[utoipa::path(
    tag = "admin: levels",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<LevelView>))
)]
#[get("/v1/admin/levels")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let found = model::list(&mut *db::connect(&app.pool).await?, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(found, page, |level: &Level| level.id.0).map(LevelView::from)))
}

/// A level
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = LevelId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = LevelView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/levels/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let level = model::find(&mut *db::connect(&app.pool).await?, level_id(&path)?).await?;
    Ok(answer(level.ok_or(Code::NotFound)?))
}

/// Change a level
///
/// Nobody falls by it before his review; who reaches it by the new rules is raised soon.
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = LevelId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = LevelChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = LevelView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "rank_taken"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/levels/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<LevelChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, level_id(&path)?, seen, &body).await?))
}

/// Let nobody reach a level any more
///
/// Who stands on it does so until his review.
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = LevelId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = LevelView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "in_use: it is the floor of a tier"),
    )
)]
#[post("/v1/admin/levels/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::archive(&app, staff.actor, level_id(&path)?).await?))
}

async fn explained(app: &App, request: &HttpRequest, account: AccountId) -> Result<OwnLevelView> {
    let mut conn = db::connect(&app.pool).await?;
    service::is_there(&mut conn, account).await?;
    service::explain(app, &mut conn, account, Some(locale_of(request))).await
}

/// A member's level, explained as it is to him
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = AccountId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = OwnLevelView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/accounts/{id}/level")]
async fn of_account(
    app: web::Data<App>,
    request: HttpRequest,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(explained(&app, &request, account_id(&path)?).await?))
}

/// A member's rises, reviews and falls, newest first, each with what it was judged by
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = AccountId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<LevelChangeView>), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/accounts/{id}/level-changes")]
async fn changes(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let (account, page) = (account_id(&path)?, query.page()?);
    let mut conn = db::connect(&app.pool).await?;
    service::is_there(&mut conn, account).await?;
    let levels = model::all(&mut conn).await?;
    let rows = model::changes(&mut conn, account, page).await?;
    let shown = List::cut(rows, page, |row: &ChangeRow| row.id.0);
    Ok(HttpResponse::Ok().json(shown.map(|row| LevelChangeView::new(row, &levels))))
}

/// Give a member a level, for a time or until it is taken back
///
/// It stands beside what he earned and takes the place of one that was given before.
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = AccountId, Path)),
    request_body = ManualLevel,
    security(("bearer" = [])),
    responses(
        (status = 200, body = OwnLevelView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/accounts/{id}/level")]
async fn give(
    app: web::Data<App>,
    request: HttpRequest,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<ManualLevel>,
) -> Result<HttpResponse> {
    let account = account_id(&path)?;
    service::give(&app, staff.actor, account, &body).await?;
    Ok(HttpResponse::Ok().json(explained(&app, &request, account).await?))
}

/// Take back the level that an operator gave
#[utoipa::path(
    tag = "admin: levels",
    params(("id" = AccountId, Path)),
    request_body = ManualLevelEnd,
    security(("bearer" = [])),
    responses(
        (status = 200, body = OwnLevelView),
        (status = 404, body = Problem, description = "not_found: also where none was given"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/accounts/{id}/level/take-back")]
async fn take_back(
    app: web::Data<App>,
    request: HttpRequest,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<ManualLevelEnd>,
) -> Result<HttpResponse> {
    let account = account_id(&path)?;
    service::take_back(&app, staff.actor, account, &body.reason).await?;
    Ok(HttpResponse::Ok().json(explained(&app, &request, account).await?))
}
