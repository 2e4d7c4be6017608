//! `/v1/chapters` for everybody, `/v1/admin/chapters`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, patch, post, web};

use super::dto::{ChapterChange, ChapterView, Chapters, NewChapter};
use super::model::Chapter;
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::language::locale_of;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::ChapterId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_public, create, list, show, change, archive, reopen))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list_public).service(create).service(list).service(show).service(change);
    config.service(archive).service(reopen);
}

/// Chapters, and the areas in which they lie
///
/// Those that take people in, by code. In an area lie others: the tree is whole.
#[utoipa::path(
    tag = "chapters",
    responses((status = 200, body = Chapters), (status = 304, description = "unchanged since that ETag"))
)]
#[get("/v1/chapters")]
async fn list_public(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let locale = locale_of(&request);
    Ok(service::shown(&app, locale).await?.answer(locale, &request))
}

/// Make a chapter
#[utoipa::path(
    tag = "admin: chapters",
    request_body = NewChapter,
    security(("bearer" = [])),
    responses(
        (status = 201, body = ChapterView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, unknown_area"),
    )
)]
#[post("/v1/admin/chapters")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewChapter>,
) -> Result<HttpResponse> {
    let chapter = service::create(&app, staff.actor, &body).await?;
    let location = format!("/v1/admin/chapters/{}", chapter.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header(etag(chapter.version))
        .json(ChapterView::from(chapter)))
}

/// All chapters
#[utoipa::path(
    tag = "admin: chapters",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<ChapterView>))
)]
#[get("/v1/admin/chapters")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |chapter| chapter.id.0).map(ChapterView::from)))
}

/// A chapter
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = ChapterId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = ChapterView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/chapters/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = id(&path)?;
    let chapter = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    Ok(answer(chapter.ok_or(Code::NotFound)?))
}

/// Change a chapter
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = ChapterId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = ChapterChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ChapterView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "in_use, code_taken"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, unknown_area"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/chapters/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<ChapterChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, id(&path)?, seen, body).await?))
}

/// Close a chapter to newcomers
///
/// Its members stay and keep their numbers.
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = ChapterId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = ChapterView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "in_use"),
    )
)]
#[post("/v1/admin/chapters/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::archive(&app, staff.actor, id(&path)?).await?))
}

/// Open an archived chapter again
#[utoipa::path(
    tag = "admin: chapters",
    params(("id" = ChapterId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = ChapterView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/chapters/{id}/reopen")]
async fn reopen(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::reopen(&app, staff.actor, id(&path)?).await?))
}

fn id(path: &str) -> Result<ChapterId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(chapter: Chapter) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(chapter.version)).json(ChapterView::from(chapter))
}
