//! `POST /v1/withdrawals`, its stop link, and operators' cases.

use std::time::Duration;

use actix_web::{HttpResponse, get, post, web};
use serde_json::json;

use super::dto::{DecisionRequest, DeclarationRequest, StopRequest, WithdrawalFilter, WithdrawalView};
use super::model::{self, End, WithdrawalState};
use super::service::{self, Declaration};
use crate::app::App;
use crate::checkout::orders::model as orders;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::auth::{ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::WithdrawalId;

/// No declaration is answered sooner (the machine's time): how long it took doesn't tell whether there is such an order.
const ANSWER_AFTER: Duration = Duration::from_millis(250);

#[derive(utoipa::OpenApi)]
#[openapi(paths(declare, stop, list, show, accept, reject))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(declare).service(stop).service(list).service(show).service(accept).service(reject);
}

/// Withdraw from an order, without signing in
///
/// The answer is the same whether there is such an order or not. Where there is, and it was placed with this address, an
/// acknowledgement goes to that address, and operators decide. No money moves by it.
#[utoipa::path(
    tag = "orders",
    request_body = DeclarationRequest,
    responses(
        (status = 202),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 429, body = Problem, description = "too_many_requests"),
    )
)]
#[post("/v1/withdrawals")]
async fn declare(app: web::Data<App>, Body(body): Body<DeclarationRequest>) -> Result<HttpResponse> {
    let soonest = tokio::time::Instant::now() + ANSWER_AFTER;
    let declaration = Declaration {
        order_number: fields::line("order_number", &body.order_number, 64)?.to_ascii_uppercase(),
        email: body.email,
        name: fields::line("name", &body.name, 200)?,
    };
    let done = service::declare(&app, &declaration).await;
    tokio::time::sleep_until(soonest).await;
    done.map(|()| HttpResponse::Accepted().finish())
}

/// Stop a withdrawal with the link of its acknowledgement
#[utoipa::path(
    tag = "orders",
    request_body = StopRequest,
    responses((status = 204), (status = 410, body = Problem, description = "token_invalid"))
)]
#[post("/v1/withdrawals/stop")]
async fn stop(app: web::Data<App>, Body(body): Body<StopRequest>) -> Result<HttpResponse> {
    service::stop(&app, &body.token).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Withdrawals, newest first
#[utoipa::path(
    tag = "Operators",
    params(WithdrawalFilter, PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<WithdrawalView>))
)]
#[get("/v1/admin/withdrawals")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    filter: web::Query<WithdrawalFilter>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, filter.state, filter.order, page).await?;
    let list = List::cut(rows, page, |(row, _)| row.id.0);
    let data = list.data.into_iter().map(WithdrawalView::of).collect();
    Ok(HttpResponse::Ok().json(List { data, next_cursor: list.next_cursor }))
}

/// One withdrawal
#[utoipa::path(
    tag = "Operators",
    params(("id" = WithdrawalId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = WithdrawalView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/withdrawals/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    answer(&app, path.parse().map_err(|_| Code::NotFound)?).await
}

/// Accept a withdrawal
///
/// Pay the money back by a refund of the order, before or after; name it here where it was made.
#[utoipa::path(
    tag = "Operators",
    params(("id" = WithdrawalId, Path), ("Idempotency-Key" = String, Header)),
    request_body = DecisionRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, body = WithdrawalView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "withdrawal_ended"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/withdrawals/{id}/accept")]
async fn accept(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<DecisionRequest>,
) -> Result<HttpResponse> {
    decide(&app, staff, &path, key, &body, WithdrawalState::Accepted).await
}

/// Reject a withdrawal
#[utoipa::path(
    tag = "Operators",
    params(("id" = WithdrawalId, Path), ("Idempotency-Key" = String, Header)),
    request_body = DecisionRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, body = WithdrawalView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "withdrawal_ended"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/withdrawals/{id}/reject")]
async fn reject(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<DecisionRequest>,
) -> Result<HttpResponse> {
    if body.refund.is_some() {
        return Err(Code::InvalidField.at("refund", "what is rejected isn't refunded"));
    }
    decide(&app, staff, &path, key, &body, WithdrawalState::Rejected).await
}

async fn decide(
    app: &App,
    staff: Staff<ServeMembers>,
    path: &str,
    key: IdempotencyKey,
    body: &DecisionRequest,
    state: WithdrawalState,
) -> Result<HttpResponse> {
    let id: WithdrawalId = path.parse().map_err(|_| Code::NotFound)?;
    let request = Request {
        account: staff.account,
        route: match state {
            WithdrawalState::Accepted => "POST /v1/admin/withdrawals/{id}/accept",
            _ => "POST /v1/admin/withdrawals/{id}/reject",
        },
        key: key.0,
        body_hash: idempotency::hash(&json!({ "id": id, "body": body }))?,
    };
    let end = End { state, reason: Some(fields::reason(&body.reason)?), refund: body.refund };
    service::decide(app, staff.actor, id, &end, &request).await?;
    answer(app, id).await
}

async fn answer(app: &App, id: WithdrawalId) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::load(&mut conn, id).await?;
    let order = orders::load(&mut conn, row.order_id).await?;
    Ok(HttpResponse::Ok().json(WithdrawalView::of((row, order.number))))
}
