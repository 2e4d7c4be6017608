//! `kindred demo`: the whole shop on one machine and for it alone, with a private PostgreSQL, demo data, the simulator in
//! Stripe's place (under `/dev/stripe` of the same server), an inbox for its mails and a clock that can be moved.
//!
//! Nothing of it is mounted by `kindred serve`, and it starts neither with a live key nor on an address that others reach.

mod clock;
mod home;
mod inbox;
mod page;
pub mod path;
mod seed;
mod settings;

use std::sync::Arc;

use actix_web::web;
use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::app::{self, Application, Extras};
use crate::config::{ConfigError, DatabaseSettings, Settings, Source};
use crate::db;
use crate::db::private::{self, Cluster, DataFolderLock, Options, PrivateError, Supervisor};
use crate::dev::stripe::{self, Simulator};
use crate::error::{AppError, Result};
use crate::people::passwords::{Hasher, Password};
use crate::people::secrets;
use crate::ports::clock::Clock;
use crate::schema::shop_clock;

/// The password of everybody in the demo data.
pub const PASSWORD: &str = "kindred-demo";
/// Where the simulator is mounted.
const STRIPE_PATH: &str = "/dev/stripe";

/// Why the demo doesn't start: each in a line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Setting(#[from] ConfigError),
    #[error(transparent)]
    Database(#[from] PrivateError),
    #[error(transparent)]
    Stripe(#[from] stripe::Error),
    #[error(transparent)]
    App(#[from] AppError),
}

/// A demo that is ready to serve.
pub struct Demo {
    pub application: Application,
    /// Where it can be seen.
    pub url: String,
    cluster: Cluster,
    supervisor: Supervisor,
    alone: DataFolderLock,
}

/// What has to be ended when the demo is over.
pub struct Leftovers {
    cluster: Cluster,
    supervisor: Supervisor,
    alone: DataFolderLock,
}

impl Leftovers {
    /// Stops the private PostgreSQL, unless another program uses it.
    pub async fn end(self) {
        drop(self.supervisor);
        self.cluster.stop().await;
        drop(self.alone);
    }
}

impl Demo {
    /// The application, to be run, and what to end after it.
    pub fn split(self) -> (Application, Leftovers) {
        let leftovers = Leftovers { cluster: self.cluster, supervisor: self.supervisor, alone: self.alone };
        (self.application, leftovers)
    }
}

/// Starts everything but the serving itself.
///
/// # Errors
/// [`Error`]
pub async fn start(source: Source) -> Result<Demo, Error> {
    let given = settings::read(source)?;
    // First, so that a port that is taken is told before a database is made.
    let listener = app::listen(given.listen)?;
    let address = listener.local_addr().map_err(AppError::internal)?;
    let settings = given.on(address)?;
    let alone = DataFolderLock::take(&settings.data_dir)?;
    let cluster = private::open(&settings.data_dir, Options::default()).await?;
    let supervisor = cluster.supervise();
    let extras = Extras { listener: Some(listener), routes: None };
    match build(settings, &cluster, extras).await {
        Ok(application) => {
            let url = application.app.settings.public_url.as_str().trim_end_matches('/').to_owned();
            Ok(Demo { application, url, cluster, supervisor, alone })
        }
        Err(error) => {
            Leftovers { cluster, supervisor, alone }.end().await;
            Err(error)
        }
    }
}

async fn build(settings: Settings, cluster: &Cluster, extras: Extras) -> Result<Application, Error> {
    let database = DatabaseSettings { url: Some(cluster.url().into()), ..settings.database };
    let settings = Settings { database, ..settings };
    let clock = Clock::real();
    prepare(&settings, &cluster.url(), &clock).await?;
    let secret = secrets::generate("whsec_")?;
    let simulator = Simulator::start(simulator_settings(&settings, &clock, &secret))?;
    let settings = settings::with_simulator(settings, &secret)?;
    let routes = Arc::new(move |config: &mut web::ServiceConfig| mount(config, &simulator));
    let application =
        Application::build_with(settings, clock, Extras { routes: Some(routes), ..extras }).await?;
    if let Some(inbox) = application.app.postbox.inbox() {
        inbox
            .keep_in(&application.app.settings.data_dir.join("demo-inbox.jsonl"))
            .map_err(AppError::internal)?;
    }
    seed::grant(&application.app).await?;
    seed::issue_codes(&application.app).await?;
    seed::give_out_coupons(&application.app).await?;
    Ok(application)
}

/// Brings the database up to date, takes over its clock, and writes the demo data once.
async fn prepare(settings: &Settings, url: &str, clock: &Clock) -> Result<()> {
    db::migrate(url).await?;
    let mut conn = db::establish(url).await.map_err(AppError::internal)?;
    let micros: i64 = shop_clock::table.select(shop_clock::offset_micros).first(&mut conn).await?;
    clock.raise_offset(TimeDelta::microseconds(micros));
    if seed::is_written(&mut conn).await? {
        return Ok(());
    }
    let hash = Hasher::new(&settings.passwords)?.hash(&Password::new(PASSWORD)).await?;
    db::transaction_on(&mut conn, async |conn| seed::write(conn, &hash, clock.now()).await).await
}

fn simulator_settings(settings: &Settings, clock: &Clock, secret: &str) -> stripe::Settings {
    let public = settings.public_url.as_str().trim_end_matches('/');
    stripe::Settings {
        webhook_url: Some(format!("http://{}/v1/stripe/webhooks", settings.listen)),
        webhook_secrets: vec![secret.to_owned()],
        public_base: format!("{public}{STRIPE_PATH}"),
        rate_per_second: Some(settings::STRIPE_RATE),
        journal: Some(settings.data_dir.join("demo-stripe.jsonl")),
        ..stripe::Settings::new(clock.clone(), settings::STRIPE_KEY)
    }
}

fn mount(config: &mut web::ServiceConfig, simulator: &Simulator) {
    config
        .app_data(web::Data::new(simulator.clone()))
        .service(web::scope(STRIPE_PATH).configure(|service| simulator.configure(service)))
        .configure(clock::configure)
        .configure(home::configure)
        .configure(inbox::configure);
}
