//! Orders a second.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use diesel::prelude::*;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::figures::{Compared, Goal, Round};
use super::limit::placing::{Article, Placing};
use super::limit::{self, BATCH};
use super::load::{self, Seen, Target, Until, precise};
use super::machine::Cores;
use super::shop::{Buyer, PRODUCTS};
use super::{Bench, far};
use crate::dev::rehearse::report::Latency;
use crate::dev::rehearse::{RehearsalError, impossible};
use crate::error::AppError;
use crate::schema::orders;

/// Buyers at a time.
const RUSH: usize = 64;
/// The rate at which latency is looked at, of the top rate.
const OPEN_SHARE: f64 = 0.8;
/// More connections than any queue of the open loop is long.
const OPEN_CONNECTIONS: usize = 512;

/// Which articles are bought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bought {
    Hot,
    Spread,
}

impl Bought {
    fn line(self, bench: &Bench, number: usize) -> Value {
        match self {
            Self::Hot => bench.shop.hot_line(),
            Self::Spread => bench.shop.spread_line(number),
        }
    }
}

/// What the measures of placing found.
pub struct Found {
    pub compared: Vec<Compared>,
    pub latency: Latency,
    /// Orders a second that arrived in the open loop.
    pub rate: f64,
    /// Orders of the hot article a second, at most.
    pub top: f64,
}

/// All measures of placing.
///
/// # Errors
/// When they could not be taken, or somebody was answered what nobody expects.
pub async fn measure(bench: &Bench) -> Result<Found, RehearsalError> {
    let orders = bench.scaled(8_192);
    let hot = compare(bench, Bought::Hot, RUSH, orders).await?;
    let spread = compare(bench, Bought::Spread, RUSH, orders).await?;
    let single = compare(bench, Bought::Hot, 1, bench.scaled(1_000)).await?;
    let top = super::figures::Spread::of(hot.iter().map(|round| round.ours)).median;
    let alone = single.iter().map(|round| round.ours);
    let gain = hot.iter().zip(alone).map(|(rush, limit)| Round { limit, ..*rush }).collect();
    let (latency, rate, open) = open_loop(bench, top).await?;
    let compared = |name, of, goal, rounds| Compared { name, of, goal, rounds };
    Ok(Found {
        compared: vec![
            compared("place_hot", "rows by set-based SQL, 256 orders a transaction", Goal::AtLeast(0.5), hot),
            compared("place_spread", "the same, 1,000 products", Goal::AtLeast(0.6), spread),
            compared(
                "place_single",
                "one transaction of the same rows at a time",
                Goal::AtLeast(0.5),
                single,
            ),
            compared("rush_gain", "one buyer at a time", Goal::AtLeast(8.0), gain),
            compared("p99_over_p50", "p50 at 80 % of the top rate, open loop", Goal::AtMost(6.0), open),
        ],
        latency,
        rate,
        top,
    })
}

/// Ours through HTTP and the limit, in turn, each round with people who have bought nothing.
async fn compare(
    bench: &Bench,
    bought: Bought,
    connections: usize,
    count: usize,
) -> Result<Vec<Round>, RehearsalError> {
    // To warm up; and each article was bought once, so that it can be copied.
    let to_warm_up = if bought == Bought::Spread { PRODUCTS } else { bench.scaled(1_024) };
    place(bench, bought, RUSH, to_warm_up).await?;
    let articles = articles_of(bench, bought).await?;
    let mut rounds = Vec::with_capacity(bench.rounds);
    for _ in 0..bench.rounds {
        let (seen, cores) = place(bench, bought, connections, count).await?;
        let batch = if connections == 1 { 1 } else { BATCH };
        let limit = by_hand(bench, &articles, bought, count, batch).await?;
        rounds.push(Round { ours: seen.per_second(), limit, cores });
    }
    Ok(rounds)
}

/// The hot article through two instances at a time against one of them, which are `bench`'s: with the cores that one had they
/// lock the same row in turn, so that no more is sold a second where there are no more cores; it must not be much less.
///
/// # Errors
/// When it could not be measured.
pub async fn second_instance(bench: &Bench) -> Result<Compared, RehearsalError> {
    let orders = bench.scaled(8_192);
    place(bench, Bought::Hot, RUSH, bench.scaled(1_024)).await?;
    let first = bench.addresses.get(..1).unwrap_or_default();
    let mut rounds = Vec::with_capacity(bench.rounds);
    for _ in 0..bench.rounds {
        let (both, cores) = place(bench, Bought::Hot, RUSH, orders).await?;
        let (one, _) = place_at(bench, first, Bought::Hot, RUSH, orders).await?;
        rounds.push(Round { ours: both.per_second(), limit: one.per_second(), cores });
    }
    let of = "one of the two instances alone";
    Ok(Compared { name: "second_instance", of, goal: Goal::AtLeast(0.8), rounds })
}

async fn place(
    bench: &Bench,
    bought: Bought,
    connections: usize,
    count: usize,
) -> Result<(Seen, Cores), RehearsalError> {
    place_at(bench, &bench.addresses, bought, connections, count).await
}

async fn place_at(
    bench: &Bench,
    addresses: &[SocketAddr],
    bought: Bought,
    connections: usize,
    count: usize,
) -> Result<(Seen, Cores), RehearsalError> {
    let buyers = bench.buyers(count).await?;
    let target = Target {
        addresses: addresses.to_vec(),
        requests: bench.shop.orders(&buyers, |number| bought.line(bench, number)),
        expected: 201,
    };
    let before = bench.processes.look();
    let until = Until::Asked(u64::try_from(count).unwrap_or_default());
    let seen = load::closed(target, connections, 0, until).await?.sound()?;
    Ok((seen, bench.processes.look().since(&before)))
}

async fn by_hand(
    bench: &Bench,
    articles: &[Article],
    bought: Bought,
    count: usize,
    batch: usize,
) -> Result<f64, RehearsalError> {
    let buyers: Vec<Buyer> = bench.buyers(count).await?;
    let placing = Placing {
        pattern: pattern(bench).await?,
        buyers: &buyers,
        articles,
        is_capped: bought == Bought::Hot,
        due_at: far(bench),
    };
    let begun = Instant::now();
    limit::placing::place(&bench.by_hand, &placing, batch).await?;
    Ok(precise(u64::try_from(count).unwrap_or_default()) / begun.elapsed().as_secs_f64())
}

/// The order that was placed last over HTTP.
async fn pattern(bench: &Bench) -> Result<Uuid, RehearsalError> {
    let mut conn = bench.connect().await?;
    let newest =
        orders::table.filter(orders::number.not_like("B%")).order(orders::id.desc()).select(orders::id);
    let id: crate::types::id::OrderId = newest.first(&mut conn).await.map_err(AppError::from)?;
    Ok(id.0)
}

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = SqlUuid)]
    variant_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pool_id: Uuid,
}

/// What one unit of each article claims, read from what an order of it claimed.
async fn articles_of(bench: &Bench, bought: Bought) -> Result<Vec<Article>, RehearsalError> {
    let mut conn = bench.connect().await?;
    let variants = match bought {
        Bought::Hot => vec![bench.shop.hot],
        Bought::Spread => bench.shop.products.clone(),
    };
    let rows: Vec<Claimed> = diesel::sql_query(
        "SELECT DISTINCT l.variant_id, c.pool_id FROM claims c JOIN order_lines l ON l.id = c.line_id
         WHERE l.variant_id = ANY($1)",
    )
    .bind::<Array<SqlUuid>, _>(variants)
    .load(&mut conn)
    .await
    .map_err(AppError::from)?;
    let mut articles = BTreeMap::<Uuid, Vec<Uuid>>::new();
    for row in rows {
        articles.entry(row.variant_id).or_default().push(row.pool_id);
    }
    if articles.is_empty() {
        return Err(impossible("nothing was bought to copy"));
    }
    Ok(articles.into_iter().map(|(variant, pools)| Article { variant, pools }).collect())
}

/// Requests that come when they come, at a share of the top rate. The ratio is that of two percentiles of one run.
async fn open_loop(bench: &Bench, top: f64) -> Result<(Latency, f64, Vec<Round>), RehearsalError> {
    let (rate, time) = (top * OPEN_SHARE, bench.time(8.0));
    let mut rounds = Vec::new();
    let mut last = Latency::default();
    for round in 0..bench.rounds {
        let expected = rate * time.as_secs_f64();
        // A tenth more, since arrivals are random.
        let buyers = bench.buyers(format!("{:.0}", expected * 1.1).parse().unwrap_or(1)).await?;
        let target = Target {
            addresses: bench.addresses.clone(),
            requests: bench.shop.orders(&buyers, |_| bench.shop.hot_line()),
            expected: 201,
        };
        let before = bench.processes.look();
        let seed = u64::try_from(round).unwrap_or_default();
        let seen = load::open(target, OPEN_CONNECTIONS, 0, (rate, time), seed).await?.sound()?;
        let cores = bench.processes.look().since(&before);
        last = Latency::of(seen.latencies);
        rounds.push(Round { ours: last.p99, limit: last.p50, cores });
    }
    Ok((last, rate, rounds))
}
