//! `/v1/admin/shipping-methods`. What everybody is shown of them is with the baskets: their prices need one.

use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{NewShippingMethod, ShippingMethodChange, ShippingMethodView};
use super::model::{self, ShippingMethod};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::ShippingMethodId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(admin_list, create, show, change, archive))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(admin_list).service(create).service(show).service(change).service(archive);
}

/// Methods on offer
#[utoipa::path(
    tag = "admin: shipping",
    security(("bearer" = [])),
    responses((status = 200, body = List<ShippingMethodView>))
)]
#[get("/v1/admin/shipping-methods")]
async fn admin_list(app: web::Data<App>, _staff: Staff<ReadShop>) -> Result<HttpResponse> {
    let methods = model::on_offer(&mut *db::connect(&app.pool).await?).await?;
    let views: Vec<_> = methods.into_iter().map(|method| view(&app, method)).collect();
    Ok(HttpResponse::Ok().json(List::whole(views)))
}

fn view(app: &App, method: ShippingMethod) -> ShippingMethodView {
    let name = method.names.zh.clone();
    ShippingMethodView::new(method, name, &app.settings.currency)
}

/// Make a way to send goods
#[utoipa::path(
    tag = "admin: shipping",
    request_body = NewShippingMethod,
    security(("bearer" = [])),
    responses(
        (status = 201, body = ShippingMethodView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
    )
)]
#[post("/v1/admin/shipping-methods")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewShippingMethod>,
) -> Result<HttpResponse> {
    let method = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created().insert_header(etag(method.version)).json(view(&app, method)))
}

fn answer(app: &App, method: ShippingMethod) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(method.version)).json(view(app, method))
}

/// A method
#[utoipa::path(
    tag = "admin: shipping",
    params(("id" = ShippingMethodId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = ShippingMethodView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/shipping-methods/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id: ShippingMethodId = path.parse().map_err(|_| Code::NotFound.error())?;
    let method = model::load(&*db::connect(&app.pool).await?, &[id]).await?.pop();
    Ok(answer(&app, method.ok_or(Code::NotFound)?))
}

/// Change a method
#[utoipa::path(
    tag = "admin: shipping",
    params(("id" = ShippingMethodId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = ShippingMethodChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ShippingMethodView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field, amount_out_of_range"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/shipping-methods/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    seen: IfMatch,
    Body(body): Body<ShippingMethodChange>,
) -> Result<HttpResponse> {
    let id: ShippingMethodId = path.parse().map_err(|_| Code::NotFound.error())?;
    Ok(answer(&app, service::change(&app, staff.actor, id, seen, body).await?))
}

/// Take a method off the list
#[utoipa::path(
    tag = "admin: shipping",
    params(("id" = ShippingMethodId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = ShippingMethodView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/shipping-methods/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id: ShippingMethodId = path.parse().map_err(|_| Code::NotFound.error())?;
    Ok(answer(&app, service::archive(&app, staff.actor, id).await?))
}
