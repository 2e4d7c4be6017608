//! Three times as many orders as can be placed: those who are let in get them as fast as ever, and those who aren't are told
//! so at once.

use serde::Serialize;

use super::figures::{Compared, Goal, Round};
use super::load::{self, Seen, Target};
use super::{Bench, count};
use crate::dev::rehearse::report::Latency;
use crate::dev::rehearse::{RehearsalError, impossible};

/// Of the top rate.
const TIMES: f64 = 3.0;
/// More than wait in the placer's queue, so that it fills.
const CONNECTIONS: usize = 3_000;

/// What was seen in the last round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Overload {
    /// Orders that came, in a second.
    pub came_per_s: f64,
    pub accepted_per_s: f64,
    pub refused: usize,
    pub accepted_ms: Latency,
    pub refused_ms: Latency,
}

/// Orders that are accepted a second, against the top rate.
///
/// # Errors
/// When it could not be measured, when somebody was answered what nobody expects, or when other orders were written than
/// were answered.
pub async fn measure(bench: &Bench, top: f64) -> Result<(Compared, Overload), RehearsalError> {
    let (rate, time) = (top * TIMES, bench.time(4.0));
    let mut rounds = Vec::with_capacity(bench.rounds);
    let mut last = Seen::default();
    for round in 0..bench.rounds {
        let expected = rate * time.as_secs_f64();
        // A tenth more, since arrivals are random.
        let buyers = bench.buyers(format!("{:.0}", expected * 1.1).parse().unwrap_or(1)).await?;
        let target = Target {
            addresses: bench.addresses.clone(),
            requests: bench.shop.orders(&buyers, |_| bench.shop.hot_line()),
            expected: 201,
        };
        let (written, before) = (orders(bench).await?, bench.processes.look());
        let seed = u64::try_from(round).unwrap_or_default();
        last = load::open(target, CONNECTIONS, 0, (rate, time), seed).await?.sound()?;
        let cores = bench.processes.look().since(&before);
        let written = orders(bench).await? - written;
        if u64::try_from(written) != Ok(last.good) {
            return Err(impossible(format!("{} orders were accepted, and {written} written", last.good)));
        }
        rounds.push(Round { ours: last.per_second(), limit: top, cores });
    }
    let overload = Overload {
        came_per_s: rate,
        accepted_per_s: last.per_second(),
        refused: last.refused.len(),
        accepted_ms: Latency::of(last.latencies),
        refused_ms: Latency::of(last.refused),
    };
    let of = "the top rate, while three times as many come";
    Ok((Compared { name: "overload", of, goal: Goal::AtLeast(0.9), rounds }, overload))
}

async fn orders(bench: &Bench) -> Result<i64, RehearsalError> {
    count(&mut bench.connect().await?, "SELECT count(*) AS count FROM orders").await
}
