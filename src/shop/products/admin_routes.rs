//! `/v1/admin/products`, and the prices of their variants.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, patch, post, web};

use super::dto::{AdminProductView, NewPrice, NewProduct, PriceView, ProductChange, Whole};
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
use crate::types::id::{PriceId, ProductId, VariantId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive, add_price, end_price))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(archive)
        .service(add_price)
        .service(end_price);
}

fn answer(whole: Whole) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(whole.product.version)).json(AdminProductView::from(whole))
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
#[utoipa::path(
    tag = "admin: products",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<AdminProductView>))
)]
#[get("/v1/admin/products")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
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

/// Give a variant another price
#[utoipa::path(
    tag = "admin: products",
    params(("id" = VariantId, Path)),
    request_body = NewPrice,
    security(("bearer" = [])),
    responses(
        (status = 201, body = PriceView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/variants/{id}/prices")]
async fn add_price(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<NewPrice>,
) -> Result<HttpResponse> {
    let variant: VariantId = path.parse().map_err(|_| Code::NotFound.error())?;
    let price = service::add_price(&app, staff.actor, variant, &body).await?;
    Ok(HttpResponse::Created().json(PriceView::new(&price, &app.settings.currency)))
}

/// Take a price away
#[utoipa::path(
    tag = "admin: products",
    params(("id" = PriceId, Path)),
    security(("bearer" = [])),
    responses((status = 204, description = "It counts no longer"))
)]
#[delete("/v1/admin/prices/{id}")]
async fn end_price(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id: PriceId = path.parse().map_err(|_| Code::NotFound.error())?;
    service::end_price(&app, staff.actor, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
