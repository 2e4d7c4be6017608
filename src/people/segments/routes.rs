//! `/v1/admin/segments`, and the tags of an account.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, patch, post, put, web};

use super::dto::{
    NewSegment, SegmentAccount, SegmentAdditions, SegmentChange, SegmentPreview, SegmentPreviewed,
    SegmentView, Tags,
};
use super::model::{self, Segment};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::people::accounts::model as accounts;
use crate::types::id::{AccountId, SegmentId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    create,
    list,
    show,
    change,
    archive,
    preview,
    accounts_of,
    add,
    remove,
    show_tags,
    set_tags
))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(preview)
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(archive)
        .service(accounts_of)
        .service(add)
        .service(remove)
        .service(show_tags)
        .service(set_tags);
}

fn segment_id(path: &str) -> Result<SegmentId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn account_id(path: &str) -> Result<AccountId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(segment: Segment, count: Option<i64>) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(segment.version)).json(SegmentView::new(segment, count))
}

/// Make a segment
#[utoipa::path(
    tag = "admin: segments",
    request_body = NewSegment,
    security(("bearer" = [])),
    responses(
        (status = 201, body = SegmentView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/segments")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewSegment>,
) -> Result<HttpResponse> {
    let segment = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/segments/{}", segment.id)))
        .insert_header(etag(segment.version))
        .json(SegmentView::new(segment, None)))
}

/// All segments, archived ones too
#[utoipa::path(
    tag = "admin: segments",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<SegmentView>))
)]
#[get("/v1/admin/segments")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, page).await?;
    let segments = List::cut(rows, page, |segment| segment.id.0);
    Ok(HttpResponse::Ok().json(segments.map(|segment| SegmentView::new(segment, None))))
}

/// A segment, with how many are in it now
#[utoipa::path(
    tag = "admin: segments",
    params(("id" = SegmentId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = SegmentView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/segments/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let segment = model::find(&mut conn, segment_id(&path)?).await?.ok_or(Code::NotFound)?;
    let count = model::count(&mut conn, &segment, app.clock.now()).await?;
    Ok(answer(segment, Some(count)))
}

/// Change a segment
///
/// Whom a new rule means counts at once, wherever the segment is named.
#[utoipa::path(
    tag = "admin: segments",
    params(("id" = SegmentId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = SegmentChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = SegmentView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/segments/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<SegmentChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, segment_id(&path)?, seen, body).await?, None))
}

/// Archive a segment: from now on it means nobody
#[utoipa::path(
    tag = "admin: segments",
    params(("id" = SegmentId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = SegmentView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/segments/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::archive(&app, staff.actor, segment_id(&path)?).await?, None))
}

/// Try a rule: whom would it mean now? No effect
#[utoipa::path(
    tag = "admin: segments",
    request_body = SegmentPreview,
    security(("bearer" = [])),
    responses(
        (status = 200, body = SegmentPreviewed),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/segments/preview")]
async fn preview(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    Body(body): Body<SegmentPreview>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service::preview(&app, &body.rule).await?))
}

/// Who is in a segment now
#[utoipa::path(
    tag = "admin: segments",
    params(("id" = SegmentId, Path), PageQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<SegmentAccount>),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/segments/{id}/accounts")]
async fn accounts_of(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let segment = model::find(&mut conn, segment_id(&path)?).await?.ok_or(Code::NotFound)?;
    let rows = model::page_of(&mut conn, &segment, page, app.clock.now()).await?;
    let found = List::cut(rows, page, |account| account.0);
    Ok(HttpResponse::Ok().json(found.map(|account| SegmentAccount { account })))
}

/// Put people on a saved list
#[utoipa::path(
    tag = "admin: segments",
    params(("id" = SegmentId, Path)),
    request_body = SegmentAdditions,
    security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/segments/{id}/accounts")]
async fn add(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<SegmentAdditions>,
) -> Result<HttpResponse> {
    service::add(&app, staff.actor, segment_id(&path)?, &body).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Take somebody off a saved list
#[utoipa::path(
    tag = "admin: segments",
    params(("id" = SegmentId, Path), ("account" = AccountId, Path)),
    security(("bearer" = [])),
    responses((status = 204), (status = 404, body = Problem, description = "not_found"))
)]
#[delete("/v1/admin/segments/{id}/accounts/{account}")]
async fn remove(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse> {
    let (segment, account) = path.into_inner();
    service::remove(&app, staff.actor, segment_id(&segment)?, account_id(&account)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// An account's tags
#[utoipa::path(
    tag = "admin: people",
    params(("id" = AccountId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = Tags), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/accounts/{id}/tags")]
async fn show_tags(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = account_id(&path)?;
    let mut conn = db::connect(&app.pool).await?;
    accounts::find(&mut conn, id).await?.ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(Tags { tags: model::tags(&mut conn, id).await? }))
}

/// Set an account's tags
#[utoipa::path(
    tag = "admin: people",
    params(("id" = AccountId, Path)),
    request_body = Tags,
    security(("bearer" = [])),
    responses(
        (status = 200, body = Tags),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[put("/v1/admin/accounts/{id}/tags")]
async fn set_tags(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<Tags>,
) -> Result<HttpResponse> {
    let tags = service::set_tags(&app, staff.actor, account_id(&path)?, &body.tags).await?;
    Ok(HttpResponse::Ok().json(Tags { tags }))
}
