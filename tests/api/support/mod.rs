//! What every test starts with: an application of its own on a database of its own, and a client to talk to it.

pub mod baskets;
pub mod bouncer;
pub mod catalog;
pub mod database;
pub mod desk;
pub mod http;
pub mod mall;
pub mod people;
pub mod shop;
pub mod smtp;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use kindred::app::{App, Application, StopHandle};
use kindred::config::{PasswordSettings, Settings};
use kindred::jobs::worker;
use kindred::ports::clock::Clock;

pub use http::{Answer, Request};
pub use people::Person;

/// A running application. Call [`TestApp::finish`] at the end: it drains the jobs and checks every invariant.
pub struct TestApp {
    pub app: Arc<App>,
    pub url: String,
    pub client: reqwest::Client,
    database: Arc<database::TestDatabase>,
    stop: StopHandle,
    served: tokio::task::JoinHandle<()>,
}

/// Settings of a test: no limits in the way, port 0.
pub fn settings(values: &[(&str, &str)]) -> Settings {
    let base = [
        ("KINDRED_LISTEN", "127.0.0.1:0"),
        ("KINDRED_PUBLIC_URL", "http://shop.test"),
        ("KINDRED_DATABASE_CONNECTIONS", "8"),
        ("KINDRED_PUBLIC_AGE_MS", "0"),
        ("KINDRED_ALLOWED_ORIGINS", "http://shop.test"),
        ("KINDRED_LIMIT_REQUESTS_PER_MINUTE", "1000000"),
        ("KINDRED_LIMIT_CREDENTIALS_PER_MINUTE", "1000000"),
    ];
    let find = |name: &str| {
        let given = values.iter().chain(&base).find(|(known, _)| *known == name);
        given.map(|(_, value)| (*value).to_owned())
    };
    let mut settings = Settings::from_lookup(&find).unwrap();
    settings.demo = true;
    settings.passwords = PasswordSettings::lowest();
    settings
}

impl TestApp {
    pub async fn spawn() -> Self {
        Self::spawn_with(&[]).await
    }

    /// With settings by name, which win over the tests' defaults.
    pub async fn spawn_with(values: &[(&str, &str)]) -> Self {
        let database = Arc::new(database::TestDatabase::create().await);
        Self::spawn_on(database, settings(values), Clock::real()).await
    }

    /// With settings that have no name outside.
    pub async fn spawn_tuned(tune: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(&[]);
        tune(&mut settings);
        Self::spawn_on(Arc::new(database::TestDatabase::create().await), settings, Clock::real()).await
    }

    /// A second instance on the same database, with a clock of its own.
    pub async fn sibling(&self, values: &[(&str, &str)]) -> Self {
        Self::spawn_on(Arc::clone(&self.database), settings(values), Clock::real()).await
    }

    pub async fn spawn_on(
        database: Arc<database::TestDatabase>,
        mut settings: Settings,
        clock: Clock,
    ) -> Self {
        // A test that puts something in between has said so.
        settings.database.url.get_or_insert_with(|| database.url().into());
        let application = Application::build(settings, clock).await.unwrap();
        let url = format!("http://{}", application.address);
        let (app, stop) = (Arc::clone(&application.app), application.stop_handle());
        let served = tokio::spawn(async move { application.run().await.unwrap() });
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(40))
            .build()
            .unwrap();
        Self { app, url, client, database, stop, served }
    }

    pub fn get(&self, path: &str) -> Request<'_> {
        Request::new(self, reqwest::Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Request<'_> {
        Request::new(self, reqwest::Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Request<'_> {
        Request::new(self, reqwest::Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Request<'_> {
        Request::new(self, reqwest::Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Request<'_> {
        Request::new(self, reqwest::Method::DELETE, path)
    }

    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    pub async fn conn(&self) -> kindred::db::PooledConn {
        kindred::db::connect(&self.app.pool).await.unwrap()
    }

    /// Waits until no job is due: long enough for thousands of mails on a machine that builds something beside it.
    pub async fn drain(&self) {
        worker::drain(&self.app, Duration::from_secs(120)).await.unwrap();
    }

    /// Every invariant holds, as `kindred check` sees it. Tests that lay rows by hand don't ask for it.
    pub async fn check(&self) {
        let report = kindred::check::run(&mut *self.conn().await, &self.app.clock).await.unwrap();
        let broken: Vec<_> = report.checks.iter().filter(|check| !check.ok).collect();
        assert!(report.ok, "{broken:?}");
    }

    /// Why jobs failed that wait to be tried again or are dead.
    pub async fn job_errors(&self) -> Vec<(String, Option<String>)> {
        use diesel::prelude::*;
        use diesel_async::RunQueryDsl;
        use kindred::schema::jobs;
        let failed =
            jobs::table.filter(jobs::last_error.is_not_null()).select((jobs::kind, jobs::last_error));
        failed.load(&mut self.conn().await).await.unwrap()
    }

    /// Stops the application and lets it finish.
    pub async fn finish(self) {
        self.drain().await;
        self.stop.stop().await;
        self.served.await.unwrap();
    }

    /// Moves the shop's clock, on all instances that have looked since.
    pub async fn advance(&self, by: TimeDelta) {
        kindred::jobs::schedule::advance_clock(&self.app, by).await.unwrap();
    }
}
