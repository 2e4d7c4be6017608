//! `/v1/me/measures`.

use actix_web::{HttpResponse, get, post, web};

use super::dto::{Appeal, MeasureView};
use super::model::{self, Wanted};
use super::service;
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::Caller;
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::types::id::MeasureId;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, appeal))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(appeal);
}

/// Measures that were taken against you, newest first
#[utoipa::path(
    tag = "memberships",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<MeasureView>))
)]
#[get("/v1/me/measures")]
async fn list(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let page = query.page()?;
    let wanted = Wanted { account: Some(caller.account), ..Wanted::default() };
    let rows = model::list(&mut *db::connect(&app.pool).await?, wanted, page).await?;
    let currency = &app.settings.currency;
    let list = List::cut(rows, page, |row| row.id.0).map(|row| MeasureView::new(row, currency));
    Ok(HttpResponse::Ok().json(list))
}

/// Appeal against a measure
///
/// Once, until `appeal_until`. An operator decides, and a mail tells you.
#[utoipa::path(
    tag = "memberships",
    params(("id" = MeasureId, Path)),
    request_body = Appeal,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MeasureView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "already_appealed, measure_ended, appeal_too_late"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/me/measures/{id}/appeal")]
async fn appeal(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    Body(body): Body<Appeal>,
) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    let measure = service::appeal(&app, caller.account, id, &body.text).await?;
    Ok(HttpResponse::Ok().json(MeasureView::new(measure, &app.settings.currency)))
}
