//! `/v1/admin/variants`, `/v1/admin/prices`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, patch, post, web};

use super::dto::{AdminVariantView, NewPrice, NewVariantBody, PriceView, VariantChangeBody};
use super::service;
use crate::app::App;
use crate::checkout::claims;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::shop::products::model::{self, Article};
use crate::types::id::{PriceId, ProductId, VariantId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, show, change, archive, prices, add_price, end_price))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(create)
        .service(show)
        .service(change)
        .service(archive)
        .service(prices)
        .service(add_price)
        .service(end_price);
}

fn variant_id(path: &str) -> Result<VariantId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

async fn view(app: &App, article: &Article) -> Result<AdminVariantView> {
    let own: Vec<_> = article.pool.into_iter().collect();
    let pools = claims::read(&mut *db::connect(&app.pool).await?, &own).await?;
    Ok(AdminVariantView::new(article, &pools))
}

async fn answer(app: &App, article: &Article) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().insert_header(etag(article.version)).json(view(app, article).await?))
}

/// Add a variant to a product
#[utoipa::path(
    tag = "admin: products",
    params(("id" = ProductId, Path)),
    request_body = NewVariantBody,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AdminVariantView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/products/{id}/variants")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    Body(body): Body<NewVariantBody>,
) -> Result<HttpResponse> {
    let product: ProductId = path.parse().map_err(|_| Code::NotFound.error())?;
    let article = service::create(&app, staff.actor, product, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/variants/{}", article.id)))
        .insert_header(etag(article.version))
        .json(view(&app, &article).await?))
}

/// A variant
#[utoipa::path(
    tag = "admin: products",
    params(("id" = VariantId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminVariantView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/variants/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = variant_id(&path)?;
    let article = model::articles(&*db::connect(&app.pool).await?, &[id]).await?.pop();
    answer(&app, &article.ok_or(Code::NotFound)?).await
}

/// Change a variant
#[utoipa::path(
    tag = "admin: products",
    params(("id" = VariantId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = VariantChangeBody,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AdminVariantView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/variants/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<VariantChangeBody>,
) -> Result<HttpResponse> {
    answer(&app, &service::change(&app, staff.actor, variant_id(&path)?, seen, body).await?).await
}

/// Take a variant off the shelf; bundles that hold it go on
#[utoipa::path(
    tag = "admin: products",
    params(("id" = VariantId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = AdminVariantView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/variants/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    answer(&app, &service::archive(&app, staff.actor, variant_id(&path)?).await?).await
}

/// A variant's other prices, archived ones too
#[utoipa::path(
    tag = "admin: products",
    params(("id" = VariantId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<PriceView>))
)]
#[get("/v1/admin/variants/{id}/prices")]
async fn prices(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let (id, page) = (variant_id(&path)?, query.page()?);
    let rows = model::prices_page(&mut *db::connect(&app.pool).await?, id, page).await?;
    let view = |price| PriceView::new(&price, &app.settings.currency);
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |price| price.id.0).map(view)))
}

/// Give a variant another price
///
/// A price is never edited: take it away and make another one.
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
    let price = service::add_price(&app, staff.actor, variant_id(&path)?, &body).await?;
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
