//! Liveness and readiness.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, web};
use chrono::TimeDelta;
use serde::Serialize;
use utoipa::OpenApi;

use super::metrics;
use crate::app::App;
use crate::db;
use crate::error::Result;

/// A pulse every half second: after this long without one the worker is stuck or the database away.
const STALE_PULSE: TimeDelta = TimeDelta::seconds(15);
/// A probe wants an answer, not a wait.
const DATABASE_LIMIT: Duration = Duration::from_secs(2);

#[derive(OpenApi)]
#[openapi(paths(healthz, readyz, metrics::metrics))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(healthz).service(readyz).service(metrics::metrics);
}

#[derive(Serialize, utoipa::ToSchema)]
struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Is the program alive?
#[utoipa::path(tag = "platform", responses((status = 200, body = Health)))]
#[get("/healthz")]
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

#[derive(Serialize, utoipa::ToSchema)]
struct Readiness {
    /// `ready` or `unavailable`.
    #[schema(example = "ready")]
    status: &'static str,
    /// The database answers.
    database: bool,
    /// All migrations that this program knows have run.
    migrations: bool,
    /// The background worker is in step.
    worker: bool,
    /// `used`, or `away`, when the primary answers in its place; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "used")]
    replica: Option<&'static str>,
}

/// May this instance be sent requests?
///
/// 503 while the database is away, a migration is missing, or the worker has stopped. A replica that is away is no reason.
#[utoipa::path(
    tag = "platform",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness, description = "not ready"))
)]
#[get("/readyz")]
async fn readyz(app: web::Data<App>) -> HttpResponse {
    let migrated = tokio::time::timeout(DATABASE_LIMIT, is_migrated(&app)).await;
    let (database, migrations) = match migrated {
        Ok(Ok(migrations)) => (true, migrations),
        Ok(Err(_)) | Err(_) => (false, false),
    };
    let worker = app.pulse_age() < STALE_PULSE;
    let replica = app.reads.standing().map(|standing| if standing.is_used { "used" } else { "away" });
    let is_ready = database && migrations && worker;
    let (code, status) =
        if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    HttpResponse::build(code).json(Readiness { status, database, migrations, worker, replica })
}

async fn is_migrated(app: &App) -> Result<bool> {
    let mut conn = db::connect(&app.pool).await?;
    db::is_migrated(&mut conn).await
}
