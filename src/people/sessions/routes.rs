//! `/v1/sessions` and `/v1/me/sessions`.

use actix_web::http::header::{CACHE_CONTROL, LOCATION, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use utoipa::OpenApi;

use super::dto::{Refresh, Session, SignIn, TokenPair};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;

#[derive(OpenApi)]
#[openapi(paths(sign_in, refresh, list, sign_out))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(sign_in).service(refresh).service(list).service(sign_out);
}

/// Sign in
///
/// The answer to an unknown address and to a wrong password is the same. After several wrong ones the right one is
/// refused as well, for a while.
#[utoipa::path(
    tag = "sessions",
    request_body = SignIn,
    responses(
        (status = 201, body = TokenPair),
        (status = 401, body = Problem, description = "invalid_credentials"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 429, body = Problem, description = "too_many_attempts, too_many_requests"),
        (status = 503, body = Problem, description = "busy"),
    )
)]
#[post("/v1/sessions")]
async fn sign_in(
    request: HttpRequest,
    app: web::Data<App>,
    Body(body): Body<SignIn>,
) -> Result<HttpResponse> {
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    let pair = service::sign_in(&app, &body, user_agent).await?;
    Ok(created(&pair))
}

/// Stay signed in
///
/// Each refresh token is good for one use; the answer holds its successor. A repeat within ten seconds answers the same
/// successor; later reuse ends the session.
#[utoipa::path(
    tag = "sessions",
    request_body = Refresh,
    responses(
        (status = 201, body = TokenPair),
        (status = 401, body = Problem, description = "invalid_refresh_token"),
    )
)]
#[post("/v1/sessions/refresh")]
async fn refresh(app: web::Data<App>, Body(body): Body<Refresh>) -> Result<HttpResponse> {
    let pair = service::refresh(&app, &body.refresh_token).await?;
    Ok(created(&pair))
}

/// RFC 6749 §5.1: no cache may keep tokens.
fn created(pair: &TokenPair) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((LOCATION, "/v1/me/sessions/current"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(pair)
}

/// Where you are signed in
#[utoipa::path(
    tag = "sessions",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<Session>), (status = 401, body = Problem, description = "unauthenticated"))
)]
#[get("/v1/me/sessions")]
async fn list(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::list(&mut conn, caller.account, page, app.clock.now()).await?;
    let list = List::cut(rows, page, |row| row.id.0).map(|row| Session {
        id: row.id,
        current: row.id == caller.session,
        user_agent: row.user_agent,
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        expires_at: row.expires_at,
    });
    Ok(HttpResponse::Ok().json(list))
}

/// Sign out
///
/// `current` is the session that asks. Its access token is refused everywhere within a second.
#[utoipa::path(
    tag = "sessions",
    params(("id" = String, Path, description = "a session's id, or `current`")),
    security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[delete("/v1/me/sessions/{id}")]
async fn sign_out(app: web::Data<App>, caller: Caller, id: web::Path<String>) -> Result<HttpResponse> {
    let session = match id.as_str() {
        "current" => caller.session,
        id => id.parse().map_err(|_| Code::NotFound)?,
    };
    service::sign_out(&app, caller.account, session).await?;
    Ok(HttpResponse::NoContent().finish())
}
