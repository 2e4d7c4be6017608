//! What `/metrics` tells (Prometheus text format): counted as things happen, or looked up when asked.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, HttpServer, get, web};
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use super::client;
use crate::app::App;
use crate::db;
use crate::error::{AppError, Code, Result};
use crate::jobs;

pub struct Metrics {
    pub registry: Registry,
    requests: HistogramVec,
    jobs: HistogramVec,
    pub problems: IntCounterVec,
    connections: GaugeVec,
    replica_used: GaugeVec,
    replica_lag: GaugeVec,
    queue: GaugeVec,
    oldest_due: GaugeVec,
}

impl Metrics {
    #[expect(clippy::expect_used, reason = "names and labels are constants that a test builds")]
    pub fn new() -> Self {
        let registry = Registry::new();
        let requests = HistogramVec::new(
            HistogramOpts::new(
                "kindred_http_request_seconds",
                "Requests by route pattern, method and status",
            ),
            &["route", "method", "status"],
        )
        .expect("a constant");
        let jobs = HistogramVec::new(HistogramOpts::new("kindred_job_seconds", "Jobs by kind"), &["kind"])
            .expect("a constant");
        let problems =
            IntCounterVec::new(Opts::new("kindred_problems_total", "Refusals and faults by code"), &["code"])
                .expect("a constant");
        let gauge =
            |name, help, labels: &[&str]| GaugeVec::new(Opts::new(name, help), labels).expect("a constant");
        let connections =
            gauge("kindred_database_connections", "Connections of the pool by state", &["state"]);
        let replica_used = gauge("kindred_replica_used", "Whether the replica is read from: 1 or 0", &[]);
        let replica_lag =
            gauge("kindred_replica_lag_seconds", "By how much the replica lagged when it was last seen", &[]);
        let queue = gauge("kindred_jobs", "Jobs that aren't done, by lane and state", &["lane", "state"]);
        let oldest_due =
            gauge("kindred_jobs_oldest_due_seconds", "How long the oldest due job has waited", &["lane"]);
        registry.register(Box::new(requests.clone())).expect("registered once");
        registry.register(Box::new(jobs.clone())).expect("registered once");
        registry.register(Box::new(problems.clone())).expect("registered once");
        registry.register(Box::new(connections.clone())).expect("registered once");
        registry.register(Box::new(replica_used.clone())).expect("registered once");
        registry.register(Box::new(replica_lag.clone())).expect("registered once");
        registry.register(Box::new(queue.clone())).expect("registered once");
        registry.register(Box::new(oldest_due.clone())).expect("registered once");
        Self { registry, requests, jobs, problems, connections, replica_used, replica_lag, queue, oldest_due }
    }

    pub fn request_done(&self, route: &str, method: &str, status: u16, took: Duration) {
        let labels = [route, method, &status.to_string()];
        self.requests.with_label_values(&labels).observe(took.as_secs_f64());
    }

    pub fn job_done(&self, kind: &str, took: Duration) {
        self.jobs.with_label_values(&[kind]).observe(took.as_secs_f64());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A look at the queue must not keep the scraper waiting where the database is away.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(2);

/// Metrics for Prometheus
///
/// On the main port to this machine alone; with `KINDRED_METRICS_LISTEN` on that address instead.
#[utoipa::path(tag = "platform", responses((status = 200, content_type = "text/plain", body = String)))]
#[get("/metrics")]
pub async fn metrics(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse> {
    let is_open = app.settings.metrics_listen.is_none()
        && client::is_local(request.head(), &app.settings.trusted_proxies);
    if is_open { page(app).await } else { Err(Code::NotFound.error()) }
}

async fn page(app: web::Data<App>) -> Result<HttpResponse> {
    look_up(&app).await;
    let families = app.metrics.registry.gather();
    let text = TextEncoder::new().encode_to_string(&families).map_err(AppError::internal)?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, prometheus::TEXT_FORMAT)).body(text))
}

async fn look_up(app: &App) {
    let pool = app.pool.status();
    let counts =
        [("open", pool.size), ("free", pool.available), ("most", pool.max_size), ("waiting", pool.waiting)];
    for (state, count) in counts {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        app.metrics.connections.with_label_values(&[state]).set(f64::from(count));
    }
    if let Some(standing) = app.reads.standing() {
        let lag_ms = u32::try_from(standing.lag.num_milliseconds()).unwrap_or(u32::MAX);
        app.metrics.replica_used.with_label_values::<&str>(&[]).set(f64::from(u8::from(standing.is_used)));
        app.metrics.replica_lag.with_label_values::<&str>(&[]).set(f64::from(lag_ms) / 1_000.0);
    }
    let loads = async {
        let mut conn = db::connect(&app.pool).await?;
        jobs::model::load_by_lane(&mut conn).await
    };
    let Ok(Ok(loads)) = tokio::time::timeout(LOOK_UP_LIMIT, loads).await else { return };
    app.metrics.queue.reset();
    app.metrics.oldest_due.reset();
    let now = app.clock.now();
    for lane in jobs::Lane::ALL {
        app.metrics.oldest_due.with_label_values(&[lane.as_str()]).set(0.0);
        for state in ["queued", "running", "dead"] {
            app.metrics.queue.with_label_values(&[lane.as_str(), state]).set(0.0);
        }
    }
    for load in loads {
        let count = u32::try_from(load.count).unwrap_or(u32::MAX);
        app.metrics.queue.with_label_values(&[&load.lane, &load.state]).set(f64::from(count));
        if load.state == "queued" {
            let waited = u32::try_from((now - load.oldest_at).num_seconds()).unwrap_or(0);
            app.metrics.oldest_due.with_label_values(&[&load.lane]).set(f64::from(waited));
        }
    }
}

/// A server of its own for `/metrics`, where `KINDRED_METRICS_LISTEN` asks for one.
///
/// # Errors
/// When it can't listen there.
pub fn server(app: &Arc<App>) -> Result<Option<Server>> {
    let Some(listen) = app.settings.metrics_listen else { return Ok(None) };
    let failed =
        |error| AppError::internal(format!("KINDRED_METRICS_LISTEN: can't listen on {listen}: {error}"));
    let listener = TcpListener::bind(listen).map_err(failed)?;
    let data = web::Data::from(Arc::clone(app));
    let server = HttpServer::new(move || {
        actix_web::App::new().app_data(data.clone()).route("/metrics", web::get().to(page))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .map_err(failed)?
    .run();
    Ok(Some(server))
}
