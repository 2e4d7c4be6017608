//! What `/metrics` tells (Prometheus text format).

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

pub struct Metrics {
    pub registry: Registry,
    pub requests: HistogramVec,
    jobs: HistogramVec,
    pub problems: IntCounterVec,
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
        for collector in [
            Box::new(requests.clone()) as Box<dyn prometheus::core::Collector>,
            Box::new(jobs.clone()),
            Box::new(problems.clone()),
        ] {
            registry.register(collector).expect("registered once");
        }
        Self { registry, requests, jobs, problems }
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
