//! Rehearsals: a whole sale on a throw-away database, with thousands of buyers over HTTP, before it counts.
//!
//! [`run`] makes a database of its own, starts the Stripe simulator and instances of this very program, lets buyers in and
//! judges the end by what three parties say who know nothing of one another: the tables, the simulator's book, and what
//! the buyers saw. No counter of the code under test is asked.
//!
//! Reading order: `scenario` (what is sold, and who comes), `drives`, `goods`, `members` and `coupons` (its rows), `place` (the
//! database), `instances` (the program under test), `sale` (what all buyers share), `visit` (one buyer's way to the shop,
//! with its retries), `person`, `board`, `mood` and `buyer` (what people do), `fulfilment` and `desk` (what buyers and
//! operators do after a sale of goods), `watch` (the eye on the pools), `chaos` (what is killed), `figures`, `parcels` and
//! `report` (the judgement). `years` and `fans` are another kind: no rush, but lives on a clock that is moved (`clockwork`). So is
//! `million`: what jobs take that look at everybody.

mod board;
mod buyer;
mod chaos;
mod clockwork;
mod coupons;
mod desk;
mod drives;
mod fans;
mod figures;
mod fulfilment;
mod goods;
pub mod instance;
pub(in crate::dev) mod instances;
mod members;
mod million;
mod mood;
mod parcels;
mod person;
pub(in crate::dev) mod place;
pub(in crate::dev) mod report;
mod sale;
pub(in crate::dev) mod scenario;
mod visit;
mod watch;
mod years;

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::config::PasswordSettings;
use crate::dev::stripe::{self, Chaos, Simulator};
use crate::error::AppError;
use crate::people::passwords::{Hasher, Password};
use crate::ports::clock::Clock;

pub use fans::FansReport;
pub use million::MillionReport;
pub use report::{Latency, Report};
pub use years::YearsReport;

use buyer::Buyer;
use figures::{Brought, Evidence};
use instances::Fleet;
use place::{Endurance, Place};
use sale::Sale;
use scenario::{Kind, Scenario};
use watch::Watch;

/// The key of the rehearsals' simulator: an instance with a cheap password hash runs with no other.
pub const SECRET_KEY: &str = "sk_test_rehearsal";
pub(in crate::dev) const WEBHOOK_SECRET: &str = "whsec_rehearsal";
/// Stripe's live limit: reads a second, and writes a second.
const STRIPE_RATE: u32 = 100;
/// What the instances keep to together, somewhat below it.
const OUR_RATE: u32 = 90;
/// The origin of the shop's pages; nobody opens one.
pub(in crate::dev) const SHOP: &str = "http://shop.test";
/// What every buyer has.
const PASSWORD: &str = "a phrase of the rehearsal";
/// When a sale that doesn't end is stopped: the whole stays within eight minutes.
const SALE_MAX: Duration = Duration::from_secs(400);
/// How long work that the sale left is waited for.
const DRAIN_MAX: Duration = Duration::from_secs(90);

/// What to rehearse, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// What is rehearsed: luoji-2013, book-box-2014, mi-fan-festival, coupon-rush, three-years,
    /// loyal-fans or million-members.
    pub name: String,
    /// Prints the report as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// How many people come [default: 20000 x scale; 50000 x scale to the coupon rush; 10000 x scale
    /// live three years, 20000 x scale two; a million members].
    #[arg(long)]
    pub buyers: Option<u32>,
    /// How many of them are in the shop at a time.
    #[arg(long, default_value_t = 64)]
    pub concurrency: u32,
    /// How many instances of the program serve them.
    #[arg(long, default_value_t = 1)]
    pub instances: usize,
    /// Kills the database and an instance part-way.
    #[arg(long)]
    pub chaos: bool,
    /// Decides who does what.
    #[arg(long, default_value_t = 2013)]
    pub seed: u64,
    /// Multiplies quotas and buyers.
    #[arg(long, default_value = "1")]
    pub scale: Decimal,
}

/// What came of a rehearsal.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Sale(Report),
    Years(YearsReport),
    Fans(FansReport),
    Million(MillionReport),
}

impl Outcome {
    pub fn passed(&self) -> bool {
        match self {
            Self::Sale(report) => report.passed,
            Self::Years(report) => report.passed,
            Self::Fans(report) => report.passed,
            Self::Million(report) => report.passed,
        }
    }
}

/// For people.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sale(report) => report.fmt(f),
            Self::Years(report) => report.fmt(f),
            Self::Fans(report) => report.fmt(f),
            Self::Million(report) => report.fmt(f),
        }
    }
}

/// Why a rehearsal could not be held; one that was held and went wrong is a report.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Postgres(#[from] crate::db::private::PrivateError),
    #[error(transparent)]
    Simulator(#[from] stripe::Error),
    #[error("the rehearsal's database: {0}: {cause}", cause = std::error::Error::source(.0).map(ToString::to_string).unwrap_or_default())]
    Database(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("{0}")]
    Impossible(String),
}

pub(crate) fn impossible(why: impl Into<String>) -> RehearsalError {
    RehearsalError::Impossible(why.into())
}

/// Holds a rehearsal and clears away after it, also when it is interrupted.
///
/// # Errors
/// [`RehearsalError`] when it could not be held.
pub async fn run(options: &Options) -> Result<Outcome, RehearsalError> {
    let begun = Instant::now();
    let scenario = match options.name.as_str() {
        years::NAME | fans::NAME | million::NAME => None,
        name => Some(Scenario::named(name, options.scale)?),
    };
    if options.instances == 0 || options.concurrency == 0 {
        return Err(impossible("--instances and --concurrency are at least 1"));
    }
    let place = Place::open(Endurance::None).await?;
    let held = async {
        Ok(match &scenario {
            None if options.name == million::NAME => {
                Outcome::Million(million::hold(options, &place, begun).await?)
            }
            None if options.name == fans::NAME => Outcome::Fans(fans::hold(options, &place, begun).await?),
            None => Outcome::Years(years::hold(options, &place, begun).await?),
            Some(scenario) => Outcome::Sale(hold(options, scenario, &place, begun).await?),
        })
    };
    let report = tokio::select! {
        report = held => report,
        () = interrupted() => Err(impossible("interrupted")),
    };
    place.close().await;
    report
}

pub(in crate::dev) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut stop), Ok(mut end)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = stop.recv() => {}
        _ = end.recv() => {}
    }
}

async fn hold(
    options: &Options,
    scenario: &Scenario,
    place: &Place,
    begun: Instant,
) -> Result<Report, RehearsalError> {
    let clock = Clock::real();
    let crowd = scenario.crowd(options.buyers)?;
    crate::db::migrate(place.url()).await?;
    let hash = Hasher::new(&PasswordSettings::lowest())?.hash(&Password::new(PASSWORD)).await?;
    scenario.seed(place.url(), &crowd, &hash, clock.now()).await?;
    // Tests that break a guard on purpose wait for this line.
    tracing::info!(database = place.url(), buyers = crowd.buyers, "the rehearsal's database is ready");

    let running = start_stripe(&clock, Some(STRIPE_RATE))?;
    let fleet = Fleet::start(options.instances, place, (&running.url, OUR_RATE), &[]).await?;
    running.simulator.set_webhook_url(Some(format!("{}/v1/stripe/webhooks", fleet.front())));
    running.simulator.set_chaos(faults(options));
    tracing::info!(instances = options.instances, seconds = begun.elapsed().as_secs(), "the sale opens");

    scenario.set_doors(place.url(), clock.now()).await?;
    let watch = Watch::start(place.url(), scenario, &clock);
    let sale = Arc::new(Sale::new(options, scenario, fleet.urls(), clock.clone(), watch.progress()));
    let codes = match scenario.kind {
        Kind::Coupons { .. } => Some(coupons::open(&sale, crowd.buyers, place.url()).await?),
        Kind::Drives | Kind::Goods { .. } => None,
    };
    let shopping = async {
        let finished = tokio::time::timeout(SALE_MAX, shop(&sale, &crowd, options.seed)).await;
        watch.close();
        finished
    };
    let striking = chaos::strike_if(options.chaos, place, &fleet, watch.progress());
    let (finished, killed) = tokio::join!(shopping, striking);
    let mut killed = killed?;
    if finished.is_err() {
        sale.seen.complain("the sale did not end in time");
    }
    let shop = (place.url(), &running.simulator, &clock);
    drain(shop, &sale).await?;
    let brought = Brought::read(place.url(), scenario, &running.simulator.book(), &sale.seen).await?;
    let (mut fulfilled_in, mut strikes) = (None, 2);
    if matches!(scenario.kind, Kind::Goods { .. }) {
        tracing::info!(seconds = begun.elapsed().as_secs(), "all is sold: parcels go out");
        let (took, at_desk) = fulfilment::fulfil(options, crowd.buyers, &sale, &fleet).await?;
        drain(shop, &sale).await?;
        killed.extend(at_desk);
        (fulfilled_in, strikes) = (Some(took), 3);
    }
    chaos::account_for(options.chaos, &killed, strikes, &sale.seen);
    let oversold = watch.stop();
    let evidence = Evidence {
        url: place.url(),
        scenario,
        brought,
        fulfilled_in,
        codes,
        book: running.simulator.book(),
        seen: sale.seen.take(),
        oversold,
        clock: &clock,
        buyers: crowd.buyers,
    };
    let report = figures::judge(evidence, begun.elapsed()).await?;
    if !report.passed {
        fleet.tell();
    }
    Ok(report)
}

/// Waits until nothing is left to be done; if it takes too long, that is a complaint.
async fn drain(
    (url, simulator, clock): (&str, &Simulator, &Clock),
    sale: &Sale,
) -> Result<(), RehearsalError> {
    let left = figures::drain(url, simulator, clock, DRAIN_MAX).await?;
    if !left.is_empty() {
        sale.seen.complain(&format!("work was left: {}", left.join(", ")));
    }
    Ok(())
}

/// The buyers come, all at once. Each comes in at least once, also where all is sold before his turn; who is refused comes
/// back until the sale is over.
async fn shop(sale: &Arc<Sale>, crowd: &scenario::Crowd, seed: u64) {
    let mut inside = JoinSet::new();
    for index in 0..crowd.buyers {
        let (sale, buyer) = (Arc::clone(sale), Buyer::new(index, crowd, seed, &sale.scenario));
        inside.spawn(async move { buyer.attend(&sale).await });
    }
    while let Some(left) = inside.join_next().await {
        if let Err(error) = left {
            sale.seen.complain(&format!("a buyer's task failed: {error}"));
        }
    }
}

pub(in crate::dev) fn start_stripe(
    clock: &Clock,
    rate_per_second: Option<u32>,
) -> Result<stripe::Running, RehearsalError> {
    let settings = stripe::Settings {
        rate_per_second,
        webhook_secrets: vec![WEBHOOK_SECRET.to_owned()],
        ..stripe::Settings::new(clock.clone(), SECRET_KEY)
    };
    let running = Simulator::listen(settings, TcpListener::bind("127.0.0.1:0")?)?;
    let wanted = kindred_stripe::EVENT_KINDS.iter().map(|kind| (*kind).to_owned());
    running.simulator.set_webhook_events(wanted.collect());
    Ok(running)
}

/// What goes wrong on the way to and from Stripe, in each rehearsal; more with chaos.
fn faults(options: &Options) -> Chaos {
    let more = if options.chaos { 3.0 } else { 1.0 };
    Chaos {
        seed: options.seed,
        webhooks_twice: 0.03 * more,
        webhooks_lost: 0.02 * more,
        webhooks_late: 0.02 * more,
        late_seconds: 2.0,
        webhooks_reordered: 0.01 * more,
        calls_failed: 0.002 * more,
        calls_limited: 0.002 * more,
        answers_lost: 0.002 * more,
        calls_delayed: 0.005 * more,
        delay_seconds: 1.0,
    }
}
