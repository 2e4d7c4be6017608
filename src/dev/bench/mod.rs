//! The bench: how close kindred is to what the machine and PostgreSQL allow. Each figure is a ratio of two things that are
//! measured in turn in one run, on a database of its own that keeps its commits as a shop's does.
//!
//! Reading order: `wire` and `load` (the driver), `shop` (what is bought, and by whom), `limit` (the limit's SQL), `placing`
//! (what is measured), `machine`, `figures`, `page` and `plots` (what is told).
//!
//! It asserts nothing about time. What it does assert is that nothing went wrong under load: every answer is the expected
//! one, nothing is sold beyond its capacity, and every invariant holds in the end.

mod bare;
mod data;
mod figures;
mod growth;
mod issuing;
pub mod limit;
mod load;
mod machine;
mod overload;
mod page;
mod placing;
mod plots;
mod reading;
mod settling;
pub mod shop;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use data::Data;
use figures::Compared;
pub use figures::readable;
use machine::{Machine, Processes};
use overload::Overload;
use shop::{Buyer, Shop};

use super::rehearse::instances::Fleet;
use super::rehearse::place::{Endurance, Place};
use super::rehearse::report::Latency;
use super::rehearse::{RehearsalError, impossible, interrupted, start_stripe};
use crate::check;
use crate::db::{self, Conn, Pool};
use crate::error::AppError;
use crate::ports::clock::Clock;

/// Stripe's live limit of calls a second, while orders are placed: payment pages are made at that pace, whatever is sold.
const STRIPE_RATE: u32 = 90;
/// While payments are settled nothing is paced: how fast Stripe may be asked isn't what is measured.
const UNPACED: u32 = 100_000;
const QUICK: f64 = 0.125;
const ROUNDS: usize = 3;
/// Connections of the app to its database.
const CONNECTIONS: usize = 16;

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// An eighth of it, for use while working: the figures scatter more.
    #[arg(long)]
    pub quick: bool,
    /// Multiplies how much is measured.
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Prints the report as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Where the report and its plots are written.
    #[arg(long, default_value = "target/bench")]
    pub out: PathBuf,
    /// Where the shops with many members are kept, which are made where they aren't there.
    #[arg(long, default_value = "target/bench-data")]
    pub data: PathBuf,
    /// A page in Markdown to put the table into, with the plots beside it: docs/performance.md.
    #[arg(long)]
    pub doc: Option<PathBuf>,
}

impl Options {
    /// 1 is a full run.
    fn size(&self) -> f64 {
        if self.quick { QUICK } else { self.scale }
    }
}

/// The contract of `make bench`: target/bench/report.json.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub at: DateTime<Utc>,
    pub seconds: f64,
    /// The median of the rounds of each.
    pub ratios: serde_json::Map<String, serde_json::Value>,
    pub rss_mb: Memory,
    /// Of placing at 80 % of the top rate, and that rate in orders a second.
    pub latency_ms: Latency,
    pub open_rate: f64,
    /// Three times the top rate.
    pub overload: Overload,
    /// On the database's disk, of an order that was placed, with its indexes.
    pub bytes_per_order: i64,
    /// The database's settings that decide its speed.
    pub database: Vec<(String, String)>,
    pub rounds: Vec<Compared>,
    pub oversold: i64,
    pub checks_failed: Vec<String>,
}

/// Resident memory of an instance, in MB.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    pub idle: f64,
    pub after: f64,
}

impl Report {
    /// Nothing went wrong; how fast it was is another matter.
    pub fn is_sound(&self) -> bool {
        self.oversold == 0 && self.checks_failed.is_empty()
    }
}

/// What all measures share.
struct Bench {
    shop: Shop,
    addresses: Vec<SocketAddr>,
    processes: Processes,
    /// One connection, for the limit.
    by_hand: Pool,
    url: String,
    clock: Clock,
    /// To the database, of the app.
    connections: usize,
    rounds: usize,
    scale: f64,
}

impl Bench {
    async fn of(place: &Place, fleet: &Fleet, shop: Shop, scale: f64) -> Result<Self, RehearsalError> {
        Ok(Self {
            shop,
            addresses: fleet.addresses(),
            processes: Processes { app: fleet.processes().await, database: place.server()? },
            by_hand: db::pool(place.url(), 1, db::Statements::Kept)?,
            url: place.url().to_owned(),
            clock: Clock::real(),
            connections: CONNECTIONS,
            rounds: ROUNDS,
            scale,
        })
    }

    /// What is so much in a full run.
    fn scaled(&self, count: u32) -> usize {
        let scaled = (f64::from(count) * self.scale).round().max(1.0);
        format!("{scaled}").parse().unwrap_or(1)
    }

    /// How long something is looked at that takes so many seconds in a full run; never too short to see anything.
    fn time(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64((seconds * self.scale).clamp(seconds.min(0.3), 60.0))
    }

    /// From now on these are the instances that are measured.
    async fn look_at(&mut self, fleet: &Fleet) {
        self.addresses = fleet.addresses();
        self.processes.app = fleet.processes().await;
    }

    async fn connect(&self) -> Result<Conn, RehearsalError> {
        Ok(db::establish(&self.url).await.map_err(AppError::internal)?)
    }

    async fn buyers(&self, count: usize) -> Result<Vec<Buyer>, RehearsalError> {
        self.shop.buyers(&mut self.connect().await?, count).await
    }
}

/// Later than any bench lasts.
fn far(bench: &Bench) -> DateTime<Utc> {
    bench.clock.now() + TimeDelta::days(1)
}

/// Measures and clears away after it, also when it is interrupted.
///
/// # Errors
/// When it could not be held, or somebody was answered what nobody expects.
pub async fn run(options: &Options) -> Result<Report, RehearsalError> {
    let report = with_data(options, async |data| {
        let place = Place::open(Endurance::Machine).await?;
        let report = unless_interrupted(measure(options, &place, data)).await;
        place.close().await;
        report
    });
    let report = report.await?;
    page::write(&report, &options.out)?;
    if let Some(doc) = &options.doc {
        page::put_into(&report, doc)?;
    }
    Ok(report)
}

/// Makes the shops with many members where they aren't there.
///
/// # Errors
/// When they can't be made.
pub async fn make_data(options: &Options) -> Result<(), RehearsalError> {
    with_data(options, async |data| unless_interrupted(growth::make(data, options.size())).await).await
}

/// The server of the shops with many members runs as long as this, however it ends.
async fn with_data<T>(
    options: &Options,
    work: impl AsyncFnOnce(&Data) -> Result<T, RehearsalError>,
) -> Result<T, RehearsalError> {
    let data = Data::open(&options.data).await?;
    let done = work(&data).await;
    data.close().await;
    done
}

async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, RehearsalError>>,
) -> Result<T, RehearsalError> {
    tokio::select! {
        done = work => done,
        () = interrupted() => Err(impossible("interrupted")),
    }
}

async fn measure(options: &Options, place: &Place, data: &Data) -> Result<Report, RehearsalError> {
    let (begun, clock) = (Instant::now(), Clock::real());
    db::migrate(place.url()).await?;
    let mut conn = db::establish(place.url()).await.map_err(AppError::internal)?;
    let shop = Shop::seed(&mut conn, clock.now()).await?;
    let stripe = start_stripe(&clock, None)?;
    let fleet = start(1, place, (&stripe.url, UNPACED)).await?;
    let mut bench = Bench::of(place, &fleet, shop, options.size()).await?;
    let idle = bench.processes.rss_mb();
    let (settled, members) = settling::measure(&bench, &stripe.url).await?;
    let mut compared = vec![settled];
    compared.extend(reading::measure(&bench, &members).await?);
    let first = bench.processes.rss_mb();
    drop(fleet);

    let fleet = start(1, place, (&stripe.url, STRIPE_RATE)).await?;
    bench.look_at(&fleet).await;
    let placing::Found { compared: placed, latency, rate, top } = placing::measure(&bench).await?;
    compared.extend(placed);
    let (accepted, overload) = overload::measure(&bench, top).await?;
    compared.push(accepted);
    let after = bench.processes.rss_mb().max(first);
    drop(fleet);

    let fleet = start(2, place, (&stripe.url, STRIPE_RATE)).await?;
    bench.look_at(&fleet).await;
    compared.push(placing::second_instance(&bench).await?);
    drop(fleet);

    // It is done in this process.
    bench.processes.app.clear();
    compared.push(issuing::measure(&bench).await?);
    compared.extend(growth::measure(data, ROUNDS, options.size()).await?);
    let checked = check::run(&mut conn, &bench.clock).await?;
    let ratios = compared.iter().map(|one| (one.name.to_owned(), json!(one.ratio().median))).collect();
    Ok(Report {
        machine: Machine::here(),
        at: bench.clock.now(),
        seconds: begun.elapsed().as_secs_f64(),
        ratios,
        rss_mb: Memory { idle, after },
        latency_ms: latency,
        open_rate: rate,
        overload,
        bytes_per_order: count(&mut conn, BYTES_PER_ORDER).await?,
        database: settings(&mut conn).await?,
        rounds: compared,
        oversold: count(&mut conn, OVERSOLD).await?,
        checks_failed: checked.failed().iter().map(|name| (*name).to_owned()).collect(),
    })
}

/// So many instances, without limits by address: the load comes from one.
async fn start(count: usize, place: &Place, stripe: (&str, u32)) -> Result<Fleet, RehearsalError> {
    let connections = CONNECTIONS.to_string();
    let settings = [
        ("KINDRED_LIMIT_REQUESTS_PER_MINUTE", "100000000"),
        ("KINDRED_LIMIT_CREDENTIALS_PER_MINUTE", "100000000"),
        ("KINDRED_DATABASE_CONNECTIONS", connections.as_str()),
    ];
    Fleet::start(count, place, stripe, &settings).await
}

/// Claims beyond what there is, counted from the claims.
const OVERSOLD: &str =
    "SELECT count(*) AS count FROM pools p JOIN (SELECT pool_id, sum(quantity) AS claimed FROM claims
    WHERE state IN ('held', 'taken') GROUP BY pool_id) c ON c.pool_id = p.id WHERE c.claimed > p.capacity";

/// In the tables that placing writes to.
const BYTES_PER_ORDER: &str =
    "SELECT (sum(pg_total_relation_size(name::regclass)) / greatest((SELECT count(*) FROM orders), 1))::bigint AS count
    FROM unnest(ARRAY['orders', 'order_lines', 'claims', 'payments', 'idempotency_keys', 'jobs', 'drop_purchases']) AS name";

async fn count(conn: &mut Conn, sql: &str) -> Result<i64, RehearsalError> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let counted: Counted = diesel::sql_query(sql).get_result(conn).await.map_err(AppError::from)?;
    Ok(counted.count)
}

/// The settings that decide how fast a database is.
async fn settings(conn: &mut Conn) -> Result<Vec<(String, String)>, RehearsalError> {
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        value: String,
    }
    let found: Vec<Setting> = diesel::sql_query(
        "SELECT name, current_setting(name) AS value FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit',
            'full_page_writes', 'wal_compression', 'shared_buffers', 'max_wal_size', 'checkpoint_timeout', 'data_checksums',
            'autovacuum', 'server_version') ORDER BY name",
    )
    .load(conn)
    .await
    .map_err(AppError::from)?;
    Ok(found.into_iter().map(|setting| (setting.name, setting.value)).collect())
}
