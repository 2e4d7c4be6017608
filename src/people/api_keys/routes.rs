//! `/v1/admin/api-keys`.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpResponse, delete, get, post, web};

use super::dto::{ApiKey, CreatedApiKey, NewApiKey};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{OwnShop, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::ApiKeyId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, revoke))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(revoke);
}

/// Make an API key
///
/// For a storefront's own backend. The key is in this answer and can't be shown again.
#[utoipa::path(
    tag = "admin: people",
    request_body = NewApiKey,
    security(("bearer" = [])),
    responses(
        (status = 201, body = CreatedApiKey),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/api-keys")]
async fn create(
    app: web::Data<App>,
    staff: Staff<OwnShop>,
    Body(body): Body<NewApiKey>,
) -> Result<HttpResponse> {
    let created = service::create(&app, staff.actor, staff.account, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/api-keys/{}", created.api_key.id)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(created))
}

/// API keys, revoked ones too
#[utoipa::path(
    tag = "admin: people",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<ApiKey>), (status = 403, body = Problem, description = "forbidden"))
)]
#[get("/v1/admin/api-keys")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<OwnShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::list(&mut conn, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0).map(ApiKey::from)))
}

/// Revoke an API key
#[utoipa::path(
    tag = "admin: people",
    params(("id" = ApiKeyId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[delete("/v1/admin/api-keys/{id}")]
async fn revoke(app: web::Data<App>, staff: Staff<OwnShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    service::revoke(&app, staff.actor, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
