//! `GET /v1/me/benefit-uses`.

use actix_web::{HttpResponse, get, web};

use super::dto::BenefitUse;
use super::uses;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::Result;
use crate::http::auth::Caller;
use crate::http::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list);
}

/// What you used of your benefits, newest first
///
/// What there is, and what is left of it, is told by `GET /v1/me/membership`.
#[utoipa::path(
    tag = "memberships",
    params(PageQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<BenefitUse>),
        (status = 401, body = Problem, description = "unauthenticated"),
    )
)]
#[get("/v1/me/benefit-uses")]
async fn list(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let page = query.page()?;
    let found = uses::of_account(&mut *db::connect(&app.pool).await?, caller.account, page).await?;
    let view = |(row, kind)| BenefitUse::own(row, kind, &app.settings.currency);
    Ok(HttpResponse::Ok().json(List::cut(found, page, |(row, _)| row.id.0).map(view)))
}
