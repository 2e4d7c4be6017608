//! `/v1/me/addresses`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, patch, post, web};

use super::dto::{AddressPatch, AddressView, NewAddress};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::AddressId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, add, change, remove))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(add).service(change).service(remove);
}

/// Your addresses, the default first
#[utoipa::path(
    tag = "accounts",
    security(("bearer" = [])),
    responses((status = 200, body = List<AddressView>), (status = 401, body = Problem, description = "unauthenticated"))
)]
#[get("/v1/me/addresses")]
async fn list(app: web::Data<App>, caller: Caller) -> Result<HttpResponse> {
    let book = model::list(&mut *db::connect(&app.pool).await?, caller.account).await?;
    Ok(HttpResponse::Ok().json(List::whole(book).map(AddressView::from)))
}

/// Keep an address
///
/// At most fifty. The first one becomes the default.
#[utoipa::path(
    tag = "accounts",
    request_body = NewAddress,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AddressView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 409, body = Problem, description = "too_many_addresses"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/me/addresses")]
async fn add(app: web::Data<App>, caller: Caller, Body(body): Body<NewAddress>) -> Result<HttpResponse> {
    let saved = service::add(&app, caller.account, body).await?;
    let location = format!("/v1/me/addresses/{}", saved.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(AddressView::from(saved)))
}

/// Change an address
///
/// What is left out stays; `null` empties a field that may be empty. Orders keep the address that they were placed with.
#[utoipa::path(
    tag = "accounts",
    params(("id" = AddressId, Path)),
    request_body = AddressPatch,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AddressView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[patch("/v1/me/addresses/{id}")]
async fn change(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    Body(body): Body<AddressPatch>,
) -> Result<HttpResponse> {
    let saved = service::change(&app, caller.account, address_id(&path)?, &body).await?;
    Ok(HttpResponse::Ok().json(AddressView::from(saved)))
}

/// Delete an address
///
/// After the default, the newest that is left becomes it.
#[utoipa::path(
    tag = "accounts",
    params(("id" = AddressId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[delete("/v1/me/addresses/{id}")]
async fn remove(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse> {
    service::delete(&app, caller.account, address_id(&path)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What can't be an id names nothing.
fn address_id(path: &str) -> Result<AddressId> {
    path.parse().map_err(|_| Code::NotFound.error())
}
