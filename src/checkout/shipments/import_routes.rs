//! `/v1/admin/shipment-imports`.

use actix_web::{HttpRequest, HttpResponse, get, post, web};

use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ServeMembers, Staff};
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

/// Hand in a file of parcels
///
/// CSV with the columns of a pick list, of which `order` (its number) and `carrier` are needed; without `line` and `quantity`
/// all that is open of the order is sent. Lines with the same order, carrier and tracking number are one parcel; a line
/// without carrier and tracking number wasn't sent. A parcel that is known by its tracking number is not sent again. At most
/// 100,000 lines and 32 MB; it is done in the background, and a line that is wrong is left out and told.
#[utoipa::path(
    tag = "admin: orders",
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
#[post("/v1/admin/shipment-imports")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    request: HttpRequest,
    query: web::Query<ImportQuery>,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let upload = Upload {
        kind: ImportKind::Shipments,
        is_dry_run: query.dry_run,
        actor: staff.actor,
        path: "/v1/admin/shipment-imports",
    };
    upload::take(&app, &request, payload, upload).await
}

/// Files of parcels that were handed in, newest first, without their errors
#[utoipa::path(
    tag = "admin: orders",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<ImportView>))
)]
#[get("/v1/admin/shipment-imports")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, ImportKind::Shipments, page).await?;
    let list = List::cut(rows, page, |row| row.id.0).map(|row| ImportView::new(row, Vec::new(), None));
    Ok(HttpResponse::Ok().json(list))
}

/// A file of parcels: how far it has come, and what is wrong with its lines
#[utoipa::path(
    tag = "admin: orders",
    params(("id" = ImportId, Path), ErrorsQuery),
    security(("bearer" = [])),
    responses((status = 200, body = ImportView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/shipment-imports/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    query: web::Query<ErrorsQuery>,
) -> Result<HttpResponse> {
    let id: ImportId = path.parse().map_err(|_| Code::NotFound.error())?;
    let (row, errors) = service::show(&app, ImportKind::Shipments, id, query.into_inner()).await?;
    Ok(HttpResponse::Ok().json(ImportView::new(row, errors, None)))
}
