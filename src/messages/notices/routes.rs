//! `/v1/admin/notices`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, patch, post, web};

use super::dto::{
    NewNotice, NoticeCancel, NoticeChange, NoticeFilter, NoticePreview, NoticeRecipient, NoticeSchedule,
    NoticeTest, NoticeView, PreviewQuery,
};
use super::model::{self, Notice};
use super::{recipients, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::language::locale_of;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::messages::mails::Mail;
use crate::types::id::NoticeId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, preview, test, schedule, cancel, recipients_of))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(preview);
    config.service(test).service(schedule).service(cancel).service(recipients_of);
}

fn id(path: &str) -> Result<NoticeId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(notice: Notice) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(notice.version)).json(NoticeView::new(notice, None))
}

/// Draft a notice
///
/// For the members of a tier or a chapter, or for a segment; of them, who takes announcements (`marketing`, and the list `notices`)
/// at a verified address.
#[utoipa::path(
    tag = "admin: notices",
    request_body = NewNotice,
    security(("bearer" = [])),
    responses(
        (status = 201, body = NoticeView),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/notices")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewNotice>,
) -> Result<HttpResponse> {
    let notice = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/notices/{}", notice.id)))
        .insert_header(etag(notice.version))
        .json(NoticeView::new(notice, None)))
}

/// Notices, newest first
#[utoipa::path(
    tag = "admin: notices",
    params(PageQuery, NoticeFilter),
    security(("bearer" = [])),
    responses((status = 200, body = List<NoticeView>))
)]
#[get("/v1/admin/notices")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
    filter: web::Query<NoticeFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, filter.state, page).await?;
    let found = List::cut(rows, page, |row| row.id.0).map(|row| NoticeView::new(row, None));
    Ok(HttpResponse::Ok().json(found))
}

/// A notice, with how far it is
#[utoipa::path(
    tag = "admin: notices",
    params(("id" = NoticeId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = NoticeView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/notices/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let notice = model::find(&mut conn, id(&path)?).await?.ok_or(Code::NotFound)?;
    let outcome = recipients::outcome(&mut conn, notice.id).await?;
    let version = etag(notice.version);
    Ok(HttpResponse::Ok().insert_header(version).json(NoticeView::new(notice, Some(outcome))))
}

/// Change a draft
#[utoipa::path(
    tag = "admin: notices",
    params(("id" = NoticeId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = NoticeChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = NoticeView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "notice_not_draft"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/notices/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<NoticeChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, id(&path)?, seen, body).await?))
}

/// The mail as its readers will get it
#[utoipa::path(
    tag = "admin: notices",
    params(("id" = NoticeId, Path), PreviewQuery),
    security(("bearer" = [])),
    responses((status = 200, body = NoticePreview), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/notices/{id}/preview")]
async fn preview(
    app: web::Data<App>,
    request: HttpRequest,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    query: web::Query<PreviewQuery>,
) -> Result<HttpResponse> {
    let notice = model::find(&mut *db::connect(&app.pool).await?, id(&path)?).await?.ok_or(Code::NotFound)?;
    let locale = query.locale.unwrap_or_else(|| locale_of(&request));
    let mail = Mail::notice_of(&notice, locale);
    let home = app.settings.public_url.as_str().trim_end_matches('/');
    let way_out = format!("{home}/v1/unsubscribe?t=…");
    let rendered = app.postbox.render_with(&mail, locale, Some(&way_out))?;
    Ok(HttpResponse::Ok().json(NoticePreview::from(rendered)))
}

/// Send a draft to a test address, in both languages
///
/// Needed before it may be scheduled, and again after each change.
#[utoipa::path(
    tag = "admin: notices",
    params(("id" = NoticeId, Path)),
    request_body = NoticeTest,
    security(("bearer" = [])),
    responses(
        (status = 202, body = NoticeView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "notice_not_draft"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/notices/{id}/test")]
async fn test(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<NoticeTest>,
) -> Result<HttpResponse> {
    let notice = service::test(&app, staff.actor, id(&path)?, &body.to).await?;
    Ok(HttpResponse::Accepted().insert_header(etag(notice.version)).json(NoticeView::new(notice, None)))
}

/// Send a notice, now or at a time
///
/// Its recipients are fixed when its time comes, and queued at the pace of the shop.
#[utoipa::path(
    tag = "admin: notices",
    params(("id" = NoticeId, Path)),
    request_body = NoticeSchedule,
    security(("bearer" = [])),
    responses(
        (status = 200, body = NoticeView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "notice_not_draft, notice_not_tested"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/notices/{id}/schedule")]
async fn schedule(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<NoticeSchedule>,
) -> Result<HttpResponse> {
    Ok(answer(service::schedule(&app, staff.actor, id(&path)?, body.send_at).await?))
}

/// Cancel a notice, also half-way
///
/// Who isn't queued by now is never written to.
#[utoipa::path(
    tag = "admin: notices",
    params(("id" = NoticeId, Path)),
    request_body = NoticeCancel,
    security(("bearer" = [])),
    responses(
        (status = 200, body = NoticeView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "notice_ended"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/notices/{id}/cancel")]
async fn cancel(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<NoticeCancel>,
) -> Result<HttpResponse> {
    let reason = fields::reason(&body.reason)?;
    Ok(answer(service::cancel(&app, staff.actor, id(&path)?, &reason).await?))
}

/// Whom a notice is for, and what became of each
#[utoipa::path(
    tag = "admin: notices",
    params(("id" = NoticeId, Path), PageQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<NoticeRecipient>),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/notices/{id}/recipients")]
async fn recipients_of(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let notice = model::find(&mut conn, id(&path)?).await?.ok_or(Code::NotFound)?;
    let rows = recipients::page_of(&mut conn, notice.id, page).await?;
    let found = List::cut(rows, page, |row| row.account_id.0).map(NoticeRecipient::from);
    Ok(HttpResponse::Ok().json(found))
}
