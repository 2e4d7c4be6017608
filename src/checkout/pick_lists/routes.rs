//! `/v1/admin/pick-lists`.

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, get, post, web};

use super::dto::{NewPickList, PickListView};
use super::{model, service, sheet};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::PickListId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, release))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list).service(show).service(release);
}

fn list_id(path: &str) -> Result<PickListId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

/// Make a pick list
///
/// Of the orders that nobody picks yet, those that were promised soonest. Two lists never share an order.
#[utoipa::path(
    tag = "admin: orders",
    params(("Idempotency-Key" = String, Header)),
    request_body = NewPickList,
    security(("bearer" = [])),
    responses(
        (status = 201, body = PickListView),
        (status = 409, body = Problem, description = "nothing_to_pick"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/pick-lists")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    key: IdempotencyKey,
    Body(body): Body<NewPickList>,
) -> Result<HttpResponse> {
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/pick-lists",
        key: key.0,
        body_hash: idempotency::hash(&body)?,
    };
    let made = service::create(&app, staff.actor, &body, &request).await?;
    let location = format!("/v1/admin/pick-lists/{}", made.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(made))
}

/// Pick lists, newest first
#[utoipa::path(
    tag = "admin: orders",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<PickListView>))
)]
#[get("/v1/admin/pick-lists")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let found = List::cut(model::list(&mut conn, page).await?, page, |list| list.id.0);
    let data = service::views(&mut conn, found.data).await?;
    Ok(HttpResponse::Ok().json(List { data, next_cursor: found.next_cursor }))
}

/// A pick list; with `Accept: text/csv` what of it is still to be sent, and where to
///
/// Filled in with `carrier` and `tracking_number`, the file is what `POST /v1/admin/shipment-imports` takes.
#[utoipa::path(
    tag = "admin: orders",
    params(("id" = PickListId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, content((PickListView = "application/json"), (String = "text/csv"))),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/pick-lists/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = list_id(&path)?;
    let view = service::view(&mut *db::connect(&app.pool).await?, id).await?;
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/csv") {
        return Ok(HttpResponse::Ok().json(view));
    }
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"pick-list.csv\""))
        .streaming(sheet::lines(app, id)))
}

/// Let others pick what of a list wasn't sent
#[utoipa::path(
    tag = "admin: orders",
    params(("id" = PickListId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = PickListView), (status = 404, body = Problem, description = "not_found"))
)]
#[post("/v1/admin/pick-lists/{id}/release")]
async fn release(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(service::release(&app, staff.actor, list_id(&path)?).await?))
}
