//! What came of a rehearsal.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::coupons::Coupons;
use super::parcels::Fulfilment;
use crate::types::money::Money;

/// The contract of `kindred rehearse --json`; see api.md for what each field means.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub name: String,
    /// From the start of the program's work to its end.
    pub seconds: f64,
    pub buyers: i64,
    /// Orders that were placed, paid or not.
    pub orders: i64,
    /// Memberships that stand, by the tier's code; units that were paid for, by their SKU; or coupons that were used, by their
    /// campaign's code.
    pub sold: BTreeMap<String, i64>,
    /// What the sale brought: captured less what was sent back, before goods were cancelled or came back.
    pub revenue: Money,
    pub oversold: i64,
    pub number_gaps: i64,
    pub lost: i64,
    pub doubled: i64,
    /// Of POST /v1/orders until an answer that stands, retries included, refusals too.
    pub latency_ms: Latency,
    /// Orders placed, from the first to the last.
    pub throughput_per_s: f64,
    /// What became of goods after the sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fulfilment: Option<Fulfilment>,
    /// What was made, given out and used of coupons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupons: Option<Coupons>,
    pub checks_failed: i64,
    pub passed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

impl Latency {
    /// The smallest latency that at least so many hundredths don't exceed.
    pub fn of(mut measured: Vec<Duration>) -> Self {
        measured.sort_unstable();
        let at = |hundredths: usize| {
            let rank = (measured.len() * hundredths).div_ceil(100).max(1);
            measured.get(rank - 1).map_or(0.0, |latency| tenths(latency.as_secs_f64() * 1_000.0))
        };
        Self { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

/// Rounded to one decimal, as it is read.
pub fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed { "passed" } else { "DID NOT PASS" };
        writeln!(f, "{}: {verdict} in {} s", self.name, self.seconds)?;
        writeln!(f, "buyers {}, orders {} ({} a second)", self.buyers, self.orders, self.throughput_per_s)?;
        let sold: Vec<_> = self.sold.iter().map(|(tier, count)| format!("{tier} {count}")).collect();
        writeln!(
            f,
            "sold {}; revenue {} {} (minor units)",
            sold.join(", "),
            self.revenue.amount,
            self.revenue.currency
        )?;
        writeln!(
            f,
            "oversold {}, number gaps {}, lost {}, doubled {}, checks failed {}",
            self.oversold, self.number_gaps, self.lost, self.doubled, self.checks_failed
        )?;
        if let Some(after) = &self.fulfilment {
            writeln!(
                f,
                "sent {} parcels of {} from {} lists in {} s, {} mails; cancelled {}, returned {}, restocked {}, refunded {}",
                after.parcels,
                after.to_send,
                after.pick_lists,
                after.seconds,
                after.shipped_mails,
                after.cancelled,
                after.returned,
                after.restocked,
                after.refunded.amount
            )?;
        }
        let Latency { p50, p90, p99, max } = self.latency_ms;
        write!(f, "order latency in ms: p50 {p50}, p90 {p90}, p99 {p99}, max {max}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let latency = Latency::of((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(latency, Latency { p50: 100.0, p90: 180.0, p99: 198.0, max: 200.0 });
        let one = Latency::of(vec![Duration::from_micros(1_260)]);
        assert_eq!(one, Latency { p50: 1.3, p90: 1.3, p99: 1.3, max: 1.3 });
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
