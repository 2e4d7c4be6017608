//! `/v1/admin/products`.

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, get, patch, post, web};

use super::dto::{AdminProductView, NewProduct, ProductChange, Whole};
use super::import::export;
use super::model::{self, Filter};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::ProductId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(change).service(archive);
}

fn answer(whole: Whole) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(whole.product.version)).json(AdminProductView::from(whole))
}

fn wants_csv(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.to_ascii_lowercase().contains("text/csv"))
}

fn product_id(path: &str) -> Result<ProductId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

/// Make a product
#[utoipa::path(
    tag = "admin: products",
    request_body = NewProduct,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AdminProductView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range, unknown_article"),
    )
)]
#[post("/v1/admin/products")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewProduct>,
) -> Result<HttpResponse> {
    let whole = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/products/{}", whole.product.id)))
        .insert_header(etag(whole.product.version))
        .json(AdminProductView::from(whole)))
}

/// All products, archived ones too
///
/// With `Accept: text/csv` all of them as a file, each variant a line, as an import takes it (docs/CATALOG-CSV.md).
#[utoipa::path(
    tag = "admin: products",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, content(
        (List<AdminProductView> = "application/json"),
        (String = "text/csv"),
    )))
)]
#[get("/v1/admin/products")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    request: HttpRequest,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    if wants_csv(&request) {
        return Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
            .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"products.csv\""))
            .streaming(export::lines(app)));
    }
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let products = List::cut(
        model::list(&mut conn, Filter { with_archived: true, ..Filter::default() }, page).await?,
        page,
        |product| product.id.0,
    );
    let data = service::whole(&mut conn, products.data).await?;
    let data: Vec<_> = data.into_iter().map(AdminProductView::from).collect();
    Ok(HttpResponse::Ok().json(List { data, next_cursor: products.next_cursor }))
}

/// A product
#[utoipa::path(
    tag = "admin: products",
    params(("id" = ProductId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminProductView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/products/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = product_id(&path)?;
    let mut conn = db::connect(&app.pool).await?;
    let product = model::find(&mut conn, &id.to_string()).await?.ok_or(Code::NotFound)?;
    Ok(answer(service::whole(&mut conn, vec![product]).await?.pop().ok_or(Code::NotFound)?))
}

/// Change a product
#[utoipa::path(
    tag = "admin: products",
    params(("id" = ProductId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = ProductChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminProductView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/products/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<ProductChange>,
) -> Result<HttpResponse> {
    Ok(answer(service::change(&app, staff.actor, product_id(&path)?, seen, body).await?))
}

/// Take a product off the shelf
#[utoipa::path(
    tag = "admin: products",
    params(("id" = ProductId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminProductView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/products/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(answer(service::archive(&app, staff.actor, product_id(&path)?).await?))
}
