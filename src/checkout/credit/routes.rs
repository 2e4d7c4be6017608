//! `/v1/me/credit`, and operators' hand in it.

use actix_web::{HttpResponse, get, post, web};
use serde_json::json;

use super::dto::{CreditAdjustment, CreditView};
use super::model::{self, EntryRow};
use super::service;
use crate::app::App;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::http::auth::{Caller, ManageShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::people::accounts::model as accounts;
use crate::types::id::AccountId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(own, show, adjust))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(own).service(show).service(adjust);
}

/// How an account's store credit stands.
///
/// # Errors
/// `invalid_field`, `invalid_cursor`.
pub async fn view(conn: &mut Conn, app: &App, account: AccountId, query: &PageQuery) -> Result<CreditView> {
    let page = query.page()?;
    let balance = model::balances(conn, &[account]).await?.get(&account).copied().unwrap_or_default();
    let entries = List::cut(model::page(conn, account, page).await?, page, |row: &EntryRow| row.id.0);
    Ok(CreditView::of(balance, entries, &app.settings.currency))
}

/// Your store credit, and what came and went
#[utoipa::path(
    tag = "credit",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = CreditView), (status = 401, body = Problem, description = "unauthenticated"))
)]
#[get("/v1/me/credit")]
async fn own(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    Ok(HttpResponse::Ok().json(view(&mut conn, &app, caller.account, &query).await?))
}

fn account_id(path: &str) -> Result<AccountId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

/// A member's store credit, and what came and went
#[utoipa::path(
    tag = "admin: credit",
    params(("id" = AccountId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = CreditView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/accounts/{id}/credit")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let account = accounts::load(&mut conn, account_id(&path)?).await.map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(view(&mut conn, &app, account.id, &query).await?))
}

/// Give a member store credit, or take it
#[utoipa::path(
    tag = "admin: credit",
    params(("id" = AccountId, Path), ("Idempotency-Key" = String, Header)),
    request_body = CreditAdjustment,
    security(("bearer" = [])),
    responses(
        (status = 201, body = CreditView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "credit_insufficient"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/accounts/{id}/credit")]
async fn adjust(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<CreditAdjustment>,
) -> Result<HttpResponse> {
    let account = account_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/accounts/{id}/credit",
        key: key.0,
        body_hash: idempotency::hash(&json!([account, body]))?,
    };
    let (amount_minor, reason) = body.checked(&app.settings.currency)?;
    service::adjust(&app, staff.actor, account, amount_minor, &reason, &request).await?;
    let mut conn = db::connect(&app.pool).await?;
    Ok(HttpResponse::Created().json(view(&mut conn, &app, account, &PageQuery::default()).await?))
}
