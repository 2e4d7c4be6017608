//! The application: what is shared by all requests and jobs, built once, by `main` and by every test alike.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{HttpServer, web};
use chrono::TimeDelta;
use kindred_stripe::Stripe;
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::checkout::invoices::paper::Paper;
use crate::checkout::orders::placer::{self, Placer};
use crate::checkout::orders::reader::{self, OrderRows};
use crate::checkout::orders::waiting::{self, WaitingRoom};
use crate::checkout::payments::events::RawEvent;
use crate::checkout::payments::opening::{self, Page};
use crate::checkout::payments::settler::{self, Settler};
use crate::checkout::payments::webhooks;
use crate::config::{DatabaseSettings, Settings, StripeSettings};
use crate::db::gather::{self, Gather};
use crate::db::reads::Reads;
use crate::db::{self, Conn, Pool};
use crate::error::{AppError, Result};
use crate::http;
use crate::http::connections::{self, Connections};
use crate::http::limits::Limiters;
use crate::http::metrics::{self, Metrics};
use crate::http::shelf::Shelf;
use crate::jobs::worker::Wakers;
use crate::jobs::{Lane, schedule, worker};
use crate::membership::catalog::service::Catalog;
use crate::membership::memberships::dto::MembershipView;
use crate::membership::memberships::reader::reading;
use crate::messages::mails::Postbox;
use crate::messages::mails::model::MailRow;
use crate::messages::mails::send::{self, Sent};
use crate::people::passwords::Hasher;
use crate::people::tokens::Tokens;
use crate::ports::clock::{Clock, machine_now};
use crate::shop::live::service::{self as live, Hub};
use crate::types::id::{AccountId, JobId, MailId, OrderId, PaymentId};

/// One try of a call to Stripe; the adapter makes a few.
const STRIPE_TIMEOUT: Duration = Duration::from_secs(15);

/// A membership takes many statements: while the database answers one set, another one is asked for.
const MEMBERSHIP_READERS: usize = 2;

/// What handlers and jobs share.
pub struct App {
    pub settings: Settings,
    pub pool: Pool,
    /// For what may be a moment old.
    pub reads: Reads,
    pub clock: Clock,
    /// This process, among those that run on the database.
    pub instance: Uuid,
    pub jobs: Wakers,
    pub metrics: Metrics,
    pub passwords: Hasher,
    pub tokens: Tokens,
    pub postbox: Postbox,
    pub paper: Paper,
    pub placer: Placer,
    pub settler: Settler,
    /// Jobs that are done, written down many at a time.
    pub finished_jobs: Gather<JobId, ()>,
    /// Mails that wait to be sent, read many at a time.
    pub queued_mails: Gather<MailId, MailRow>,
    /// Those that are sent, written down many at a time.
    pub sent_mails: Gather<Sent, ()>,
    /// Events of Stripe's, kept many at a time.
    pub kept_events: Gather<RawEvent, ()>,
    /// Those that are to be applied, found many at a time.
    pub found_events: Gather<String, webhooks::Waiting>,
    /// Those that are applied, with the payment that each was about.
    pub applied_events: Gather<(String, PaymentId), ()>,
    /// Orders as they are shown, read for many at a time.
    pub orders: Gather<OrderId, OrderRows>,
    /// What payment pages are made of, likewise.
    pub pages: Gather<PaymentId, Page>,
    /// Memberships as their members see them, likewise.
    pub memberships: Gather<AccountId, MembershipView>,
    pub waiting: WaitingRoom,
    stripe: Option<Stripe>,
    pub catalog: Catalog,
    /// Pages for whoever isn't signed in.
    pub shelf: Shelf,
    pub limiters: Limiters,
    pub connections: Connections,
    /// Who follows which drop.
    pub live: Hub,
    /// The machine's time of the last good pulse, in microseconds.
    beaten_at: AtomicI64,
    /// True once the app is stopping.
    pub shutdown: watch::Sender<bool>,
}

impl App {
    /// What follows the database every half second.
    ///
    /// # Errors
    /// The database's.
    pub async fn on_pulse(&self, conn: &mut Conn) -> Result<()> {
        let now = self.clock.now();
        self.tokens.refresh(conn, now).await?;
        self.catalog.on_pulse(conn, &self.reads, now).await
    }

    /// The number of instances that live has been counted: they share Stripe's rate limit.
    pub fn on_instances(&self, alive: i64) {
        if let (Some(stripe), Some(settings)) = (&self.stripe, &self.settings.stripe) {
            let alive = u32::try_from(alive.max(1)).unwrap_or(u32::MAX);
            stripe.set_rate((settings.rate_per_second / alive).max(1));
        }
    }

    /// Stripe, for jobs alone.
    ///
    /// # Errors
    /// When the shop has no key.
    pub fn stripe(&self) -> Result<&Stripe> {
        self.stripe
            .as_ref()
            .ok_or_else(|| AppError::internal("STRIPE_SECRET_KEY: nothing can be paid without it"))
    }

    /// The pulse has gone through.
    pub fn has_beaten(&self) {
        self.beaten_at.store(machine_now().timestamp_micros(), Ordering::Relaxed);
    }

    /// How long ago that was: part of readiness.
    pub fn pulse_age(&self) -> TimeDelta {
        let micros = machine_now().timestamp_micros() - self.beaten_at.load(Ordering::Relaxed);
        TimeDelta::microseconds(micros)
    }
}

/// A built application: a bound listener, running background loops, and a server that waits to be awaited.
pub struct Application {
    pub app: Arc<App>,
    pub address: SocketAddr,
    server: Server,
    background: JoinSet<()>,
    /// What requests wait for.
    serving: JoinSet<()>,
}

/// Stops an application from outside.
#[derive(Clone)]
pub struct StopHandle {
    app: Arc<App>,
    server: ServerHandle,
}

impl StopHandle {
    /// Lets requests and jobs that run finish, then ends.
    pub async fn stop(&self) {
        self.app.shutdown.send_replace(true);
        self.server.stop(true).await;
    }
}

/// What an application is built with beside its settings. By default nothing.
#[derive(Default)]
pub struct Extras {
    /// A listener that is bound already; `settings.listen` is then only its name.
    pub listener: Option<TcpListener>,
    /// More routes of the same server: the demo's.
    pub routes: Option<Routes>,
}

/// Mounts routes, once a worker.
pub type Routes = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

impl Application {
    /// [`Application::build_with`] nothing more.
    ///
    /// # Errors
    /// What is wrong with database, address or settings, fit to be shown at start.
    pub async fn build(settings: Settings, clock: Clock) -> Result<Self> {
        Self::build_with(settings, clock, Extras::default()).await
    }

    /// Migrates, connects, binds. `settings.database.url` must be set: who calls has opened the private PostgreSQL where
    /// there is none. Port 0 takes any free port.
    ///
    /// # Errors
    /// What is wrong with database, address or settings, fit to be shown at start.
    pub async fn build_with(settings: Settings, clock: Clock, extras: Extras) -> Result<Self> {
        let postbox = Postbox::new(&settings)?;
        let paper = Paper::new(&settings)?;
        let (pool, reads) = connect(&settings.database).await?;
        let listener = extras.listener.map_or_else(|| listen(settings.listen), Ok)?;
        let address = listener.local_addr().map_err(AppError::internal)?;
        let tokens = {
            let mut conn = db::connect(&pool).await?;
            let lifetime = settings.sign_in.access_token;
            Tokens::open(&mut conn, settings.public_url.as_str(), lifetime, clock.now()).await?
        };
        let (placer, orders_to_place) = Placer::new(settings.limits.placer_queue);
        let (settler, told) = Settler::new();
        let (finished_jobs, ended_jobs) = Gather::new();
        let (queued_mails, mails_to_send) = Gather::new();
        let (sent_mails, gone_mails) = Gather::new();
        let (kept_events, came) = Gather::new();
        let (found_events, events_to_apply) = Gather::new();
        let (applied_events, ended_events) = Gather::new();
        let (orders, asked_orders) = Gather::new();
        let (pages, asked_pages) = Gather::new();
        let (memberships, asked_memberships) = Gather::new();
        let app = Arc::new(App {
            placer,
            settler,
            finished_jobs,
            queued_mails,
            sent_mails,
            kept_events,
            found_events,
            applied_events,
            orders,
            pages,
            memberships,
            waiting: WaitingRoom::default(),
            stripe: settings.stripe.as_ref().map(stripe_client).transpose()?,
            passwords: Hasher::new(&settings.passwords)?,
            tokens,
            pool,
            reads,
            clock,
            instance: Uuid::now_v7(),
            jobs: Wakers::default(),
            metrics: Metrics::new(),
            postbox,
            paper,
            catalog: Catalog::default(),
            shelf: Shelf::new(settings.public_max_age),
            limiters: Limiters::new(&settings.limits),
            connections: Connections::new(&settings.limits),
            live: Hub::default(),
            beaten_at: AtomicI64::new(0),
            shutdown: watch::Sender::new(false),
            settings,
        });
        schedule::beat(&app, true).await?;
        let background = background(&app)?;
        let server = serve(&app, listener, extras.routes)?;
        let mut serving = JoinSet::new();
        serving.spawn(placer::run(Arc::clone(&app), orders_to_place));
        serving.spawn(settler::run(Arc::clone(&app), told));
        let pool = || app.pool.clone();
        serving.spawn(gather::run(pool(), ended_jobs, worker::finishing(&app)));
        serving.spawn(gather::run(pool(), mails_to_send, Box::new(send::reading)));
        serving.spawn(gather::run(pool(), gone_mails, send::marking(&app)));
        serving.spawn(gather::run(pool(), came, webhooks::keeping(&app)));
        serving.spawn(gather::run(pool(), events_to_apply, Box::new(webhooks::waiting)));
        serving.spawn(gather::run(pool(), ended_events, webhooks::applying(&app)));
        serving.spawn(gather::run(pool(), asked_orders, Box::new(reader::boxed)));
        serving.spawn(gather::run(pool(), asked_pages, opening::reading(&app)));
        for _ in 0..MEMBERSHIP_READERS {
            serving.spawn(gather::run(pool(), asked_memberships.clone(), reading(&app)));
        }
        Ok(Self { app, address, server, background, serving })
    }

    pub fn stop_handle(&self) -> StopHandle {
        StopHandle { app: Arc::clone(&self.app), server: self.server.handle() }
    }

    /// Serves until [`StopHandle::stop`], then lets the background loops finish.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn run(mut self) -> Result<()> {
        let served = self.server.await;
        self.app.shutdown.send_replace(true);
        while self.background.join_next().await.is_some() {}
        // No request and no job is left that could ask them.
        self.serving.abort_all();
        served.map_err(AppError::internal)
    }
}

/// Migrates the database, and connects to it and to its replica.
async fn connect(database: &DatabaseSettings) -> Result<(Pool, Reads)> {
    let url =
        database.url.as_ref().ok_or_else(|| AppError::internal("DATABASE_URL: no database to run on"))?;
    let direct = database.direct.as_ref().unwrap_or(url);
    db::migrate(direct.expose_secret()).await?;
    let pool = db::pool(url.expose_secret(), database.connections, database.statements)?;
    let replica = database
        .replica
        .as_ref()
        .map(|url| db::replica_pool(url.expose_secret(), database.connections, database.statements));
    Ok((pool.clone(), Reads::new(pool, replica.transpose()?)))
}

/// The loops that nobody waits for.
fn background(app: &Arc<App>) -> Result<JoinSet<()>> {
    let mut loops = JoinSet::new();
    loops.spawn(schedule::pulse(Arc::clone(app)));
    loops.spawn(follow_replica(Arc::clone(app)));
    loops.spawn(waiting::run(Arc::clone(app)));
    loops.spawn(live::run(Arc::clone(app)));
    loops.spawn(connections::run(Arc::clone(app)));
    for lane in Lane::ALL {
        loops.spawn(worker::run_lane(Arc::clone(app), lane));
    }
    if let Some(metrics) = metrics::server(app)? {
        loops.spawn(run_metrics(Arc::clone(app), metrics));
    }
    Ok(loops)
}

fn stripe_client(settings: &StripeSettings) -> Result<Stripe> {
    let config = kindred_stripe::Config {
        secret_key: settings.secret_key.expose_secret().to_owned(),
        base_url: settings.url.as_ref().map(ToString::to_string),
        timeout: STRIPE_TIMEOUT,
        rate_per_second: settings.rate_per_second,
    };
    Stripe::new(config).map_err(AppError::internal)
}

/// # Errors
/// When the address is taken, or isn't this machine's.
pub fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .map_err(|error| AppError::internal(format!("KINDRED_LISTEN: can't listen on {address}: {error}")))
}

fn serve(app: &Arc<App>, listener: TcpListener, extra: Option<Routes>) -> Result<Server> {
    let data = web::Data::from(Arc::clone(app));
    let limits = &app.settings.limits;
    connections::make_room(limits.connections);
    let watched = Arc::clone(app);
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let server = HttpServer::new(move || {
        let extra = extra.clone();
        http::application(data.clone())
            .configure(move |config| extra.iter().for_each(|routes| routes(config)))
    })
    .workers(workers)
    .max_connections((limits.connections / workers).max(1))
    // A client that opens a connection and says nothing must not keep it.
    .client_request_timeout(std::time::Duration::from_secs(u64::from(limits.head_seconds)))
    .client_disconnect_timeout(std::time::Duration::from_secs(2))
    .keep_alive(std::time::Duration::from_secs(u64::from(limits.idle_seconds)))
    .on_connect(move |stream, of_requests| watched.connections.opened(stream, of_requests))
    .shutdown_timeout(10)
    .disable_signals()
    .listen(listener)
    .map_err(AppError::internal)?
    .run();
    Ok(server)
}

async fn follow_replica(app: Arc<App>) {
    let mut shutdown = app.shutdown.subscribe();
    tokio::select! {
        () = app.reads.follow() => {}
        _ = shutdown.changed() => {}
    }
}

async fn run_metrics(app: Arc<App>, server: Server) {
    let (handle, mut shutdown) = (server.handle(), app.shutdown.subscribe());
    tokio::select! {
        ended = server => tracing::warn!(?ended, "the metrics server ended"),
        _ = shutdown.changed() => handle.stop(false).await,
    }
}
