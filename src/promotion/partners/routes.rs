//! `/v1/admin/partners`, and the codes of partners.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};
use serde_json::json;

use super::dto::{CodeView, NewPartner, NewPartnerCode, PartnerChange, PartnerView};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::{PartnerCodeId, PartnerId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive, create_code, codes, end_code))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(archive)
        .service(create_code)
        .service(codes)
        .service(end_code);
}

/// An id of a path: what can't be one names nothing.
///
/// # Errors
/// `not_found`.
pub fn partner_id(path: &str) -> Result<PartnerId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn answer(view: PartnerView) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(view.version)).json(view)
}

/// Make a partner: somebody who brings buyers for a part of what they buy
#[utoipa::path(
    tag = "admin: partners",
    request_body = NewPartner,
    security(("bearer" = [])),
    responses(
        (status = 201, body = PartnerView),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/partners")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewPartner>,
) -> Result<HttpResponse> {
    let made = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/partners/{}", made.id)))
        .insert_header(etag(made.version))
        .json(made))
}

/// All partners, newest first, archived ones too
#[utoipa::path(
    tag = "admin: partners",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<PartnerView>))
)]
#[get("/v1/admin/partners")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let found = List::cut(model::list(&mut conn, page).await?, page, |of| of.id.0);
    let data = service::views(&mut conn, found.data, &app.settings.currency).await?;
    Ok(HttpResponse::Ok().json(List { data, next_cursor: found.next_cursor }))
}

/// A partner, with what his orders earned him
#[utoipa::path(
    tag = "admin: partners",
    params(("id" = PartnerId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = PartnerView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/partners/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let found = model::find(&mut conn, partner_id(&path)?).await?.ok_or(Code::NotFound)?;
    Ok(answer(service::view(&mut conn, found, &app.settings.currency).await?))
}

/// Change a partner
#[utoipa::path(
    tag = "admin: partners",
    params(("id" = PartnerId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = PartnerChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = PartnerView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/partners/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<PartnerChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, partner_id(&path)?, seen, &body).await?))
}

/// A partner's codes count for nothing from now on; what he earned stays, and can be paid out
#[utoipa::path(
    tag = "admin: partners",
    params(("id" = PartnerId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = PartnerView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/partners/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::archive(&app, staff.actor, partner_id(&path)?).await?))
}

/// Make a code of a partner's
///
/// Buyers give it as `invite_code` with their order. Each order that is paid claims one of `max_orders`.
#[utoipa::path(
    tag = "admin: partners",
    params(("id" = PartnerId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewPartnerCode,
    security(("bearer" = [])),
    responses(
        (status = 201, body = CodeView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "code_taken, closed, request_in_progress"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/partners/{id}/codes")]
async fn create_code(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<NewPartnerCode>,
) -> Result<HttpResponse> {
    let id = partner_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/partners/{id}/codes",
        key: key.0,
        body_hash: idempotency::hash(&json!([id, body]))?,
    };
    let made = service::create_code(&app, staff.actor, id, &body, &request).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, format!("/v1/admin/partners/{id}/codes"))).json(made))
}

/// A partner's codes, newest first, with how far they are used
#[utoipa::path(
    tag = "admin: partners",
    params(("id" = PartnerId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<CodeView>), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/partners/{id}/codes")]
async fn codes(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let partner = model::find(&mut conn, partner_id(&path)?).await?.ok_or(Code::NotFound)?;
    let found = List::cut(model::codes(&mut conn, partner.id, page).await?, page, |of| of.id.0);
    let data = service::code_views(&app, &mut conn, found.data).await?;
    Ok(HttpResponse::Ok().json(List { data, next_cursor: found.next_cursor }))
}

/// End a code; orders that were placed before keep it
#[utoipa::path(
    tag = "admin: partners",
    params(("id" = PartnerId, Path), ("code" = PartnerCodeId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = CodeView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/partners/{id}/codes/{code}/end")]
async fn end_code(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse> {
    let (partner, code) = path.into_inner();
    let code = code.parse().map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(service::end_code(&app, staff.actor, partner_id(&partner)?, code).await?))
}
