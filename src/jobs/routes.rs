//! `/v1/admin/jobs`.

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use utoipa::OpenApi;

use super::model::{self, Filter, JobRow, JobView};
use super::{Lane, service};
use crate::app::App;
use crate::db;
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::problem::Problem;
use crate::types::id::JobId;

#[derive(OpenApi)]
#[openapi(paths(list, get_one, retry))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(get_one).service(retry);
}

/// The query of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct JobQuery {
    /// `queued`, `running`, `done` or `dead`.
    pub state: Option<String>,
    /// Such as `send_mail`.
    pub kind: Option<String>,
    /// `stripe`, `mail` or `local`.
    pub lane: Option<String>,
    /// 1 to 100; 20 by default.
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl JobQuery {
    fn split(self) -> Result<(Filter, PageQuery)> {
        let states = ["queued", "running", "done", "dead"];
        if self.state.as_deref().is_some_and(|state| !states.contains(&state)) {
            return Err(Code::InvalidField.at("state", "expected queued, running, done or dead"));
        }
        if self.lane.as_deref().is_some_and(|lane| !Lane::ALL.iter().any(|known| known.as_str() == lane)) {
            return Err(Code::InvalidField.at("lane", "expected stripe, mail or local"));
        }
        let filter = Filter { state: self.state, kind: self.kind, lane: self.lane };
        Ok((filter, PageQuery { limit: self.limit, cursor: self.cursor }))
    }
}

/// List jobs
///
/// Newest first. `state=dead` is the list of those that were given up. Jobs that are done are kept for a week.
#[utoipa::path(
    tag = "admin",
    params(JobQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<JobRow>),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[get("/v1/admin/jobs")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    web::Query(query): web::Query<JobQuery>,
) -> Result<HttpResponse> {
    let (filter, page) = query.split()?;
    let page = page.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let rows = model::list(&mut conn, &filter, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0)))
}

/// Get a job
#[utoipa::path(
    tag = "admin",
    params(("id" = JobId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = JobView),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/jobs/{id}")]
async fn get_one(app: web::Data<App>, _staff: Staff<ReadShop>, id: web::Path<JobId>) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let row = model::find(&mut conn, *id).await?.ok_or(Code::NotFound)?;
    let progress = service::progress(&mut conn, &row).await?;
    Ok(HttpResponse::Ok().json(JobView { row, progress }))
}

/// Put a dead job back into the queue
#[utoipa::path(
    tag = "admin",
    params(("id" = JobId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = JobRow),
        (status = 401, body = Problem, description = "unauthenticated"),
        (status = 403, body = Problem, description = "forbidden"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "job_not_dead"),
    )
)]
#[post("/v1/admin/jobs/{id}/retry")]
async fn retry(app: web::Data<App>, staff: Staff<ManageShop>, id: web::Path<JobId>) -> Result<HttpResponse> {
    let row = service::retry(&app, staff.actor, *id).await?;
    Ok(HttpResponse::Ok().json(row))
}
