//! Who is named among the backers of a crowdfunded drop, and how a name goes again.

use actix_web::{HttpResponse, delete, get, web};

use super::dto::BackerView;
use super::{model, service};
use crate::app::App;
use crate::checkout::orders::access::OrderCaller;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{MaybeCaller, ServeMembers, Staff};
use crate::http::problem::Problem;
use crate::shop::drops::model as drops;
use crate::shop::live::dto::seen_by;
use crate::shop::live::model as live;
use crate::shop::visitors;
use crate::types::id::OrderId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(backers, remove_name, admin_remove_name))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(backers).service(remove_name).service(admin_remove_name);
}

/// The backers who agreed to be named, the first first: one entry a pledge
#[utoipa::path(
    tag = "drops",
    params(("id" = String, Path, description = "id or code"), PageQuery),
    responses((status = 200, body = List<BackerView>), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/drops/{id}/backers")]
async fn backers(
    app: web::Data<App>,
    caller: MaybeCaller,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let id = drops::find_id(&mut conn, &path).await?.ok_or(Code::NotFound)?;
    let (shown, now) = (live::look(&mut conn, &[id]).await?.pop().ok_or(Code::NotFound)?, app.clock.now());
    let account = caller.0.map(|caller| caller.account);
    let looker = visitors::load(&mut conn, account, shown.audiences(), now).await?;
    let drop = seen_by(&shown, looker.visitor(), &looker.ranks, now);
    drop.and_then(|drop| drop.goal).ok_or(Code::NotFound)?;
    let rows = model::named(&mut conn, id, page).await?;
    Ok(HttpResponse::Ok()
        .json(List::cut(rows, page, |(line, _)| line.0).map(|(_, name)| BackerView { name })))
}

/// Be named no longer
#[utoipa::path(
    tag = "orders",
    params(("id" = OrderId, Path), ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    security((), ("bearer" = [])),
    responses((status = 204), (status = 404, body = Problem, description = "not_found"))
)]
#[delete("/v1/orders/{id}/backer-name")]
async fn remove_name(
    app: web::Data<App>,
    caller: OrderCaller,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = order_id(&path)?;
    let buyer = caller.on(&app, id).await?;
    service::remove_name(&app, id, buyer).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Take a name off the list of backers that shouldn't stand there
#[utoipa::path(
    tag = "admin: drops",
    params(("id" = OrderId, Path)),
    security(("bearer" = [])),
    responses((status = 204), (status = 404, body = Problem, description = "not_found"))
)]
#[delete("/v1/admin/orders/{id}/backer-name")]
async fn admin_remove_name(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    service::strike_name(&app, staff.actor, order_id(&path)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn order_id(path: &str) -> Result<OrderId> {
    path.parse().map_err(|_| Code::NotFound.error())
}
