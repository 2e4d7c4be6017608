//! `kindred capacity`: what a planned sale needs, from what the bench measured. A plan, not a promise: rehearse what it says.

mod rules;
mod table;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::AppError;
use rules::{Allowed, Measured, Plan, Sale};

/// Measured by `kindred bench` on 2026-11-24, on two cores of an AMD EPYC that carried app, database and load together
/// (24 GB, PostgreSQL 15, commits kept): docs/performance.md.
const KEPT: Measured = Measured {
    placed_per_s: 2_039.0,
    settled_per_s: 466.0,
    app_seconds: 0.000_33,
    database_seconds: 0.000_37,
    cores: 2,
    bytes_per_order: 3_297.0,
};

/// A sale that is planned. With none given, examples from the field.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many are sold, one an order.
    #[arg(long, requires = "minutes")]
    pub units: Option<u32>,
    /// In how many minutes.
    #[arg(long, requires = "units", value_parser = above_zero)]
    pub minutes: Option<f64>,
    /// How many try to buy; none given: as many as there are units.
    #[arg(long)]
    pub buyers: Option<u32>,
    /// Lines of an order.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub lines: u32,
    /// Nothing is due, so Stripe isn't asked: coupons.
    #[arg(long)]
    pub free: bool,
    /// How long an order is held for its payment.
    #[arg(long, default_value_t = 15)]
    pub hold_minutes: u32,
    /// Calls a second that Stripe takes (`KINDRED_STRIPE_RATE`).
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..))]
    pub stripe_rate: u32,
    /// Of an instance to its database (`KINDRED_DATABASE_CONNECTIONS`).
    #[arg(long, default_value_t = 16)]
    pub connections: u32,
    /// What `kindred bench` wrote of your machine: target/bench/report.json.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Prints the answer as one JSON object.
    #[arg(long)]
    pub json: bool,
}

fn above_zero(text: &str) -> Result<f64, String> {
    let minutes = text.parse::<f64>().map_err(|error| error.to_string())?;
    if minutes.is_finite() && minutes > 0.0 { Ok(minutes) } else { Err("expected more than 0".to_owned()) }
}

/// What was asked, and the answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    pub measured: Measured,
    pub sales: Vec<Planned>,
}

/// One sale and what it needs.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    pub name: String,
    pub sale: Sale,
    pub plan: Plan,
}

/// # Errors
/// When the report can't be read.
pub fn answer(options: &Options) -> Result<Answer, AppError> {
    let measured = options.report.as_deref().map_or(Ok(KEPT), read)?;
    let allowed = Allowed { stripe_per_s: f64::from(options.stripe_rate), connections: options.connections };
    let planned = |(name, sale): (String, Sale)| {
        let plan = rules::plan(&sale, &measured, &allowed);
        Planned { name, sale, plan }
    };
    Ok(Answer { measured, sales: sales(options).into_iter().map(planned).collect() })
}

fn sales(options: &Options) -> Vec<(String, Sale)> {
    let sale = |units: f64, minutes: f64, is_paid: bool| Sale {
        units,
        seconds: minutes * 60.0,
        buyers: f64::from(options.buyers.unwrap_or_default()),
        lines: f64::from(options.lines),
        is_paid,
        hold_minutes: f64::from(options.hold_minutes),
    };
    if let (Some(units), Some(minutes)) = (options.units, options.minutes) {
        return vec![("your sale".to_owned(), sale(f64::from(units), minutes, !options.free))];
    }
    // Luoji Siwei 2014; Xiaomi 2015: 2.08 billion yuan for 2.12 million phones are 981 yuan a phone. Coupons: of one yuan each.
    [
        ("8,000 book boxes in 90 minutes", 8_000.0, 90.0, true),
        ("2.12 million phones in 23 hours", 2_120_000.0, 23.0 * 60.0, true),
        ("100 million yuan of phones in 8.5 minutes", 1e8 / 981.0, 8.5, true),
        ("150 million coupons in 24 hours", 1.5e8, 24.0 * 60.0, false),
    ]
    .map(|(name, units, minutes, is_paid)| (name.to_owned(), sale(units, minutes, is_paid)))
    .into()
}

/// The part of the bench's report that is needed here.
#[derive(Deserialize)]
struct Report {
    machine: Machine,
    rounds: Vec<Compared>,
    bytes_per_order: f64,
}

#[derive(Deserialize)]
struct Machine {
    cores: u32,
}

#[derive(Deserialize)]
struct Compared {
    name: String,
    rounds: Vec<Round>,
}

#[derive(Deserialize)]
struct Round {
    ours: f64,
    cores: Cores,
}

#[derive(Deserialize)]
struct Cores {
    app: f64,
    database: f64,
}

fn read(path: &Path) -> Result<Measured, AppError> {
    let wrong = |why: String| AppError::internal(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    measured(&report).ok_or_else(|| wrong("no place_hot or no settle in it".to_owned()))
}

/// The middle one of the rounds of a measure, so that its rate and its cores belong together.
fn middle<'a>(report: &'a Report, name: &str) -> Option<&'a Round> {
    let compared = report.rounds.iter().find(|compared| compared.name == name)?;
    let mut rounds: Vec<&Round> = compared.rounds.iter().filter(|round| round.ours > 0.0).collect();
    rounds.sort_by(|a, b| a.ours.total_cmp(&b.ours));
    rounds.get(rounds.len() / 2).copied()
}

fn measured(report: &Report) -> Option<Measured> {
    let placing = middle(report, "place_hot")?;
    Some(Measured {
        placed_per_s: placing.ours,
        settled_per_s: middle(report, "settle")?.ours,
        app_seconds: placing.cores.app / placing.ours,
        database_seconds: placing.cores.database / placing.ours,
        cores: report.machine.cores,
        bytes_per_order: report.bytes_per_order,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        options: Options,
    }

    fn asked(arguments: &[&str]) -> Result<Answer, String> {
        let words = std::iter::once("capacity").chain(arguments.iter().copied());
        let arguments = Arguments::try_parse_from(words).map_err(|error| error.to_string())?;
        answer(&arguments.options).map_err(|error| error.to_string())
    }

    #[test]
    fn with_no_sale_given_the_examples_are_told() {
        let examples = asked(&[]).unwrap();
        assert_eq!(examples.sales.len(), 4);
        // The book boxes are no trouble; the phones are more than Stripe takes.
        let waits = examples.sales.iter().map(|planned| planned.plan.page_wait_seconds > 0.0);
        assert_eq!(waits.collect::<Vec<_>>(), [false, true, true, false]);
        let text = examples.to_string();
        for Planned { name, .. } in &examples.sales {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn a_sale_is_told_in_words_and_in_json() {
        let asked = asked(&["--units", "8000", "--minutes", "90", "--buyers", "16000"]).unwrap();
        let json = serde_json::to_value(&asked).unwrap();
        assert_eq!(
            (&json["sales"][0]["sale"]["units"], &json["sales"][0]["sale"]["buyers"]),
            (&8_000.0.into(), &16_000.0.into())
        );
        assert!(asked.to_string().contains("| your sale |"));
    }

    #[test]
    fn half_a_sale_or_an_endless_one_is_refused() {
        for wrong in [
            &["--units", "8"][..],
            &["--minutes", "8"],
            &["--units", "8", "--minutes", "0"],
            &["--units", "8", "--minutes", "NaN"],
            &["--units", "8", "--minutes", "8", "--lines", "0"],
            &["--report", "/nowhere.json"],
        ] {
            assert!(asked(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_report_is_read_by_its_middle_round() {
        let round = |ours: f64| serde_json::json!({ "ours": ours, "cores": { "app": 1.0, "database": 0.5 } });
        let report = serde_json::json!({
            "machine": { "cores": 4 }, "bytes_per_order": 900.0,
            "rounds": [
                { "name": "place_hot", "rounds": [round(500.0), round(100.0), round(200.0)] },
                { "name": "settle", "rounds": [round(70.0)] },
            ],
        });
        let measured = measured(&serde_json::from_value(report).unwrap()).unwrap();
        assert_eq!(
            (measured.placed_per_s, measured.app_seconds, measured.database_seconds),
            (200.0, 0.005, 0.0025)
        );
        assert_eq!((measured.cores, measured.settled_per_s, measured.bytes_per_order), (4, 70.0, 900.0));
    }
}
