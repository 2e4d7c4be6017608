//! `/v1/products/{id}/reminders`.

use actix_web::{HttpResponse, delete, post, web};

use super::service;
use crate::app::App;
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, remove))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(remove);
}

/// Mail me when it can be bought
///
/// One mail, once. Asking again changes nothing.
#[utoipa::path(
    tag = "products",
    params(("id" = String, Path, description = "id or slug")),
    security(("bearer" = [])),
    responses(
        (status = 201, description = "You will get a mail"),
        (status = 204, description = "You had asked before"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "already_on_sale"),
    )
)]
#[post("/v1/products/{id}/reminders")]
async fn create(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse> {
    if service::add(&app, caller.account, &path).await? {
        Ok(HttpResponse::Created().finish())
    } else {
        Ok(HttpResponse::NoContent().finish())
    }
}

/// Don't mail me after all
#[utoipa::path(
    tag = "products",
    params(("id" = String, Path, description = "id or slug")),
    security(("bearer" = [])),
    responses((status = 204, description = "You will get no mail"))
)]
#[delete("/v1/products/{id}/reminders")]
async fn remove(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse> {
    service::remove(&app, caller.account, &path).await?;
    Ok(HttpResponse::NoContent().finish())
}
