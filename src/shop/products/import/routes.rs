//! `/v1/admin/product-imports`.

use actix_web::{HttpRequest, HttpResponse, get, post, web};

use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::problem::Problem;
use crate::imports::dto::{ErrorsQuery, ImportQuery, ImportView};
use crate::imports::upload::{self, Upload};
use crate::imports::{ImportKind, model, service};
use crate::types::id::ImportId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show);
}

/// Hand in a file of products
///
/// CSV with a header, a variant a line; docs/CATALOG-CSV.md says what each column holds. UTF-8, or what
/// `text/csv; charset=gb18030` says; at most 100,000 lines and 32 MB. What is there is changed, what isn't is made. It is
/// done in the background; a line that is wrong is left out and told.
#[utoipa::path(
    tag = "admin: products",
    params(ImportQuery),
    request_body(content = String, content_type = "text/csv"),
    security(("bearer" = [])),
    responses(
        (status = 202, body = ImportView),
        (status = 413, body = Problem, description = "body_too_large"),
        (status = 415, body = Problem, description = "unsupported_media_type"),
        (status = 422, body = Problem, description = "csv_encoding, csv_columns, csv_empty, csv_too_long"),
    )
)]
#[post("/v1/admin/product-imports")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    request: HttpRequest,
    query: web::Query<ImportQuery>,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let upload = Upload {
        kind: ImportKind::Products,
        is_dry_run: query.dry_run,
        actor: staff.actor,
        path: "/v1/admin/product-imports",
    };
    upload::take(&app, &request, payload, upload).await
}

/// Files of products that were handed in, newest first, without their errors
#[utoipa::path(
    tag = "admin: products",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<ImportView>))
)]
#[get("/v1/admin/product-imports")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, ImportKind::Products, page).await?;
    let list = List::cut(rows, page, |row| row.id.0).map(|row| ImportView::new(row, Vec::new(), None));
    Ok(HttpResponse::Ok().json(list))
}

/// A file of products: how far it has come, and what is wrong with its lines
#[utoipa::path(
    tag = "admin: products",
    params(("id" = ImportId, Path), ErrorsQuery),
    security(("bearer" = [])),
    responses((status = 200, body = ImportView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/product-imports/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    query: web::Query<ErrorsQuery>,
) -> Result<HttpResponse> {
    let id: ImportId = path.parse().map_err(|_| Code::NotFound.error())?;
    let (row, errors) = service::show(&app, ImportKind::Products, id, query.into_inner()).await?;
    Ok(HttpResponse::Ok().json(ImportView::new(row, errors, None)))
}
