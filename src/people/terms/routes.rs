//! `/v1/terms` and `/v1/admin/terms`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};

use super::dto::{NewTerms, Terms};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(current, publish, list))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(current).service(publish).service(list);
}

/// The terms of sale in force
#[utoipa::path(
    tag = "shop",
    responses((status = 200, body = Terms), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/terms")]
async fn current(app: web::Data<App>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::current(&mut conn).await?.ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok().json(Terms::from(row)))
}

/// Publish terms of sale
///
/// In force from now on. A version is never changed or taken back: orders refer to it.
#[utoipa::path(
    tag = "admin: shop",
    request_body = NewTerms,
    security(("bearer" = [])),
    responses(
        (status = 201, body = Terms),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/terms")]
async fn publish(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewTerms>,
) -> Result<HttpResponse> {
    let row = service::publish(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, "/v1/terms")).json(Terms::from(row)))
}

/// All versions of the terms of sale
#[utoipa::path(
    tag = "admin: shop",
    security(("bearer" = [])),
    responses((status = 200, body = List<Terms>), (status = 403, body = Problem, description = "forbidden"))
)]
#[get("/v1/admin/terms")]
async fn list(app: web::Data<App>, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::all(&mut conn).await?;
    Ok(HttpResponse::Ok().json(List::whole(rows).map(Terms::from)))
}
