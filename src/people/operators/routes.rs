//! `/v1/admin/accounts`.

use actix_web::{HttpResponse, delete, get, patch, web};

use super::dto::{AccountFilter, AccountView, RolesPatch};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{OwnShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::people::accounts::model::AccountRow;
use crate::types::email::Email;
use crate::types::id::AccountId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, show, set_roles, end_sessions))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(show).service(set_roles).service(end_sessions);
}

/// Accounts
#[utoipa::path(
    tag = "admin: people",
    params(PageQuery, AccountFilter),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<AccountView>),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/accounts")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
    filter: web::Query<AccountFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let email: Option<Email> = match &filter.email {
        None => None,
        Some(text) => {
            Some(text.parse().map_err(|_| Code::InvalidField.at("email", "not an e-mail address"))?)
        }
    };
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::list(&mut conn, email.as_ref(), filter.role, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0).map(AccountView::from)))
}

/// An account
#[utoipa::path(
    tag = "admin: people",
    params(("id" = AccountId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = AccountView),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/accounts/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = account_id(&path)?;
    let mut conn = db::connect(&app.pool).await?;
    Ok(answer(model::load(&mut conn, id).await?))
}

/// Give and take roles
#[utoipa::path(
    tag = "admin: people",
    params(("id" = AccountId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = RolesPatch,
    security(("bearer" = [])),
    responses(
        (status = 200, body = AccountView),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "last_owner"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/accounts/{id}")]
async fn set_roles(
    app: web::Data<App>,
    staff: Staff<OwnShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<RolesPatch>,
) -> Result<HttpResponse> {
    let reason = body.reason.as_deref();
    if reason.is_some_and(|reason| reason.chars().count() > 500) {
        return Err(Code::InvalidField.at("reason", "expected at most 500 characters"));
    }
    let row = service::set_roles(&app, staff.actor, account_id(&path)?, seen, &body.roles, reason).await?;
    Ok(answer(row))
}

/// Sign somebody out everywhere
#[utoipa::path(
    tag = "admin: people",
    params(("id" = AccountId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[delete("/v1/admin/accounts/{id}/sessions")]
async fn end_sessions(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    service::end_sessions(&app, staff.actor, account_id(&path)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn account_id(text: &str) -> Result<AccountId> {
    text.parse().map_err(|_| Code::NotFound.error())
}

fn answer(row: AccountRow) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(row.version)).json(AccountView::from(row))
}
