//! `/v1/drops/{id}/waiting-list`, `/v1/me/waiting-list` and the operators' view of it.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, post, web};
use serde::Deserialize;

use super::dto::{AdminWaitingView, NewWaiting, WaitingView};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::auth::{Caller, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::{DropId, VariantId, WaitingId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(join, mine, leave, list))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(join).service(mine).service(leave).service(list);
}

/// Wait for what is sold out
///
/// What comes back (unpaid orders, refunds, codes that expire, more stock) is offered to those who wait, in order: a mail
/// brings a code that holds the unit for a day. Until then nobody else can buy it.
#[utoipa::path(
    tag = "drops",
    params(("id" = String, Path, description = "id or code")),
    request_body = NewWaiting,
    security(("bearer" = [])),
    responses(
        (status = 201, body = WaitingView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "members_only, tier_required"),
        (status = 404, body = Problem, description = "not_found"),
        (
            status = 409,
            body = Problem,
            description = "still_on_sale, audience_sold_out, already_waiting, not_open, closed, cap_reached"
        ),
        (status = 422, body = Problem, description = "unknown_article, invalid_field"),
    )
)]
#[post("/v1/drops/{id}/waiting-list")]
async fn join(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    Body(body): Body<NewWaiting>,
) -> Result<HttpResponse> {
    fields::within("quantity", body.quantity, 1, 1)?;
    let standing = service::join(&app, caller.account, &path, body.variant).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, "/v1/me/waiting-list"))
        .json(WaitingView::from(standing)))
}

/// Your places in waiting lists, newest first
#[utoipa::path(
    tag = "drops",
    params(PageQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<WaitingView>),
        (status = 401, body = Problem, description = "unauthenticated"),
    )
)]
#[get("/v1/me/waiting-list")]
async fn mine(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::of_account(&mut *db::connect(&app.pool).await?, caller.account, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.entry.id.0).map(WaitingView::from)))
}

/// Give your place up, or decline an offer
#[utoipa::path(
    tag = "drops",
    params(("id" = WaitingId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "in_use: an unpaid order of yours holds the unit"),
    )
)]
#[delete("/v1/me/waiting-list/{id}")]
async fn leave(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse> {
    let id: WaitingId = path.parse().map_err(|_| Code::NotFound)?;
    service::leave(&app, caller.account, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Of which article.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct OfArticle {
    variant: Option<VariantId>,
}

/// Who waits, and who was offered what, newest first
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = DropId, Path), OfArticle, PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<AdminWaitingView>))
)]
#[get("/v1/admin/drops/{id}/waiting-list")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    of: web::Query<OfArticle>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let id: DropId = path.parse().map_err(|_| Code::NotFound)?;
    let page = query.page()?;
    let rows = model::of_drop(&mut *db::connect(&app.pool).await?, id, of.variant, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.entry.id.0).map(AdminWaitingView::from)))
}
