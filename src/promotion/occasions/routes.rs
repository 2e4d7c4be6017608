//! `/v1/admin/occasions`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};

use super::dto::{NewOccasion, OccasionView};
use super::{model, service};
use crate::app::App;
use crate::checkout::claims;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::OccasionId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, end))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(end);
}

/// Give a coupon to whoever signs up, has birthday, or pays the n-th order
///
/// It goes into the wallet, and a mail tells of it: once a person, on birthdays once a year. Only accounts with a verified
/// address get one. What happened before the rule starts doesn't count.
#[utoipa::path(
    tag = "admin: coupons",
    request_body = NewOccasion,
    security(("bearer" = [])),
    responses(
        (status = 201, body = OccasionView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "closed"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/occasions")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewOccasion>,
) -> Result<HttpResponse> {
    let made = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/occasions/{}", made.id)))
        .json(made))
}

/// Occasions on which coupons are given, newest first
#[utoipa::path(
    tag = "admin: coupons",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<OccasionView>))
)]
#[get("/v1/admin/occasions")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let found = List::cut(model::list(&mut conn, page).await?, page, |of| of.id.0);
    let pools: Vec<_> = found.data.iter().map(|of| of.pool_id).collect();
    let pools = claims::read(&mut conn, &pools).await?;
    Ok(HttpResponse::Ok().json(found.map(|of| OccasionView::new(of, &pools))))
}

/// Give no more on an occasion; what was given stays
#[utoipa::path(
    tag = "admin: coupons",
    params(("id" = OccasionId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = OccasionView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/occasions/{id}/end")]
async fn end(app: web::Data<App>, staff: Staff<ManageShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(service::end(&app, staff.actor, id).await?))
}
