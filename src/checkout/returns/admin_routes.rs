//! `/v1/admin/returns`: the shop's side.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};

use super::dto::{ApproveReturn, EndReturn, ReceiveReturn, RefundReturn, ReturnView, views, words};
use super::model::{self, Filter, ReturnState};
use super::service::{self, Answer};
use crate::app::App;
use crate::checkout::orders::model as orders;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::{AccountId, OrderId, ReturnId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, show, approve, reject, receive, refund, close))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(list)
        .service(show)
        .service(approve)
        .service(reject)
        .service(receive)
        .service(refund)
        .service(close);
}

/// Which returns.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReturnFilter {
    pub state: Option<ReturnState>,
    pub order: Option<OrderId>,
}

/// Returns
#[utoipa::path(
    tag = "admin: orders",
    params(PageQuery, ReturnFilter),
    security(("bearer" = [])),
    responses((status = 200, body = List<ReturnView>))
)]
#[get("/v1/admin/returns")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
    filter: web::Query<ReturnFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let filter = Filter { state: filter.state, order: filter.order };
    let mut conn = db::connect(&app.pool).await?;
    let List { data, next_cursor } =
        List::cut(model::list(&mut conn, &filter, page).await?, page, |row| row.id.0);
    let data = views(&mut conn, data, &app.settings.currency).await?;
    Ok(HttpResponse::Ok().json(List { data, next_cursor }))
}

/// A return
#[utoipa::path(
    tag = "admin: orders",
    params(("id" = ReturnId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = ReturnView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/returns/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    shown(&app, return_id(&path)?).await
}

/// Let goods be sent back
///
/// The buyer is mailed how.
#[utoipa::path(
    tag = "admin: orders",
    params(("id" = ReturnId, Path), ("Idempotency-Key" = String, Header)),
    request_body = ApproveReturn,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ReturnView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "wrong_return_state"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/returns/{id}/approve")]
async fn approve(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<ApproveReturn>,
) -> Result<HttpResponse> {
    let id = return_id(&path)?;
    let answer = Answer::Approve(words("instructions", &body.instructions)?);
    let request = asked(staff.account, "POST /v1/admin/returns/{id}/approve", key, &(id, &body))?;
    service::answer(&app, staff.actor, id, &answer, &request).await?;
    shown(&app, id).await
}

/// Refuse to take goods back
///
/// The buyer is mailed why.
#[utoipa::path(
    tag = "admin: orders",
    params(("id" = ReturnId, Path), ("Idempotency-Key" = String, Header)),
    request_body = EndReturn,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ReturnView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "wrong_return_state"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/returns/{id}/reject")]
async fn reject(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<EndReturn>,
) -> Result<HttpResponse> {
    let id = return_id(&path)?;
    let answer = Answer::Reject(words("reason", &body.reason)?);
    let request = asked(staff.account, "POST /v1/admin/returns/{id}/reject", key, &(id, &body))?;
    service::answer(&app, staff.actor, id, &answer, &request).await?;
    shown(&app, id).await
}

/// Enter what has arrived
///
/// Line by line, how many units go back on sale and how many are written off. A bundle's parts go back to their own stock.
#[utoipa::path(
    tag = "admin: orders",
    params(("id" = ReturnId, Path), ("Idempotency-Key" = String, Header)),
    request_body = ReceiveReturn,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ReturnView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "wrong_return_state"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/returns/{id}/receive")]
async fn receive(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<ReceiveReturn>,
) -> Result<HttpResponse> {
    let id = return_id(&path)?;
    let arrived = body.arrived()?;
    let request = asked(staff.account, "POST /v1/admin/returns/{id}/receive", key, &(id, &body))?;
    service::receive(&app, staff.actor, id, &arrived, &request).await?;
    shown(&app, id).await
}

/// Pay a return back
///
/// Each unit that arrived has its share of what was paid for its line; shipping goes back where it is asked for.
#[utoipa::path(
    tag = "admin: orders",
    params(("id" = ReturnId, Path), ("Idempotency-Key" = String, Header)),
    request_body = RefundReturn,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ReturnView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem,
            description = "wrong_return_state, nothing_to_refund, refund_exceeds_captured"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/returns/{id}/refund")]
async fn refund(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<RefundReturn>,
) -> Result<HttpResponse> {
    let id = return_id(&path)?;
    let shipping_minor = body.shipping_minor(&app.settings.currency)?;
    let request = asked(staff.account, "POST /v1/admin/returns/{id}/refund", key, &(id, &body))?;
    service::refund(&app, staff.actor, id, shipping_minor, &request).await?;
    shown(&app, id).await
}

/// End a return without money
///
/// Nothing has arrived, or what arrived earned none. The buyer is mailed why.
#[utoipa::path(
    tag = "admin: orders",
    params(("id" = ReturnId, Path), ("Idempotency-Key" = String, Header)),
    request_body = EndReturn,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ReturnView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "wrong_return_state"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/returns/{id}/close")]
async fn close(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<EndReturn>,
) -> Result<HttpResponse> {
    let id = return_id(&path)?;
    let answer = Answer::Close(words("reason", &body.reason)?);
    let request = asked(staff.account, "POST /v1/admin/returns/{id}/close", key, &(id, &body))?;
    service::answer(&app, staff.actor, id, &answer, &request).await?;
    shown(&app, id).await
}

fn return_id(path: &str) -> Result<ReturnId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

fn asked(
    account: AccountId,
    route: &'static str,
    key: IdempotencyKey,
    body: &impl Serialize,
) -> Result<Request> {
    Ok(Request { account, route, key: key.0, body_hash: idempotency::hash(body)? })
}

async fn shown(app: &App, id: ReturnId) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::load(&mut conn, id).await?;
    let order = orders::load(&mut conn, row.order_id).await?;
    Ok(HttpResponse::Ok().json(views(&mut conn, vec![row], &order.currency).await?.pop()))
}
