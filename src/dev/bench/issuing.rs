//! Unique coupons issued a second, part by part, by the function that the program's job and its command line run.

use std::time::Instant;

use serde_json::json;

use super::Bench;
use super::figures::{Compared, Goal, Round};
use super::limit;
use crate::audit::Actor;
use crate::db;
use crate::dev::rehearse::RehearsalError;
use crate::dev::rehearse::scenario::connect;
use crate::error::AppError;
use crate::promotion::campaigns::dto::NewCampaign;
use crate::promotion::campaigns::service as campaigns;
use crate::promotion::coupons::dto::NewIssue;
use crate::promotion::coupons::model::{self, Issue};
use crate::promotion::coupons::{issue, service};

/// Coupons of an issue.
const CODES: u32 = 1_000_000;
/// A round takes long, and lies close to the next one.
const ROUNDS: usize = 2;
const CURRENCY: &str = "CNY";

/// Both on one connection, each round of each in a campaign of its own. No instance may run: it would help.
///
/// # Errors
/// When it could not be measured.
pub async fn measure(bench: &Bench) -> Result<Compared, RehearsalError> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for round in 0..bench.rounds.min(ROUNDS) {
        let before = bench.processes.look();
        let ours = by_kindred(bench, &format!("ours-{round}")).await?;
        let cores = bench.processes.look().since(&before);
        rounds.push(Round { ours, limit: by_hand(bench, &format!("limit-{round}")).await?, cores });
    }
    Ok(Compared { name: "coupons_issue", of: "COPY of such rows", goal: Goal::AtLeast(0.5), rounds })
}

async fn by_kindred(bench: &Bench, campaign: &str) -> Result<f64, RehearsalError> {
    let mut issue = begin(bench, campaign, quantity(bench)?).await?;
    let begun = Instant::now();
    while issue.ended_at.is_none() {
        issue = issue::step(&bench.by_hand, issue.id, bench.clock.now()).await?;
    }
    Ok(rate(bench, begun))
}

async fn by_hand(bench: &Bench, campaign: &str) -> Result<f64, RehearsalError> {
    let issue = ended(bench, campaign, quantity(bench)?).await?;
    let (rows, client) = (limit::issuing::ready(&issue, bench.clock.now())?, connect(&bench.url).await?);
    let begun = Instant::now();
    limit::issuing::copy(&client, rows).await?;
    Ok(rate(bench, begun))
}

fn rate(bench: &Bench, begun: Instant) -> f64 {
    let made = u32::try_from(bench.scaled(CODES)).map_or(f64::INFINITY, f64::from);
    made / begun.elapsed().as_secs_f64()
}

fn quantity(bench: &Bench) -> Result<i64, AppError> {
    i64::try_from(bench.scaled(CODES)).map_err(AppError::internal)
}

/// A campaign, and an issue of it that is entered as one that kindred has ended: only its codes are missing.
///
/// # Errors
/// The database's.
pub async fn ended(bench: &Bench, campaign: &str, quantity: i64) -> Result<Issue, RehearsalError> {
    let begun = begin(bench, campaign, quantity).await?;
    let issue = Issue { made: begun.quantity, ended_at: Some(bench.clock.now()), ..begun };
    model::store_issue(&mut *db::connect(&bench.by_hand).await?, &issue).await?;
    Ok(issue)
}

/// A campaign, and an issue of it of which no code is made yet.
async fn begin(bench: &Bench, campaign: &str, quantity: i64) -> Result<Issue, RehearsalError> {
    let new: NewCampaign = serde_json::from_value(json!({
        "code": campaign, "names": { "zh-CN": "五十元券", "en": "Fifty yuan off" }, "class": "product",
        "benefit": { "kind": "amount", "off": { "amount": 5_000, "currency": CURRENCY } },
        "limits": { "per_person": 1 },
    }))
    .map_err(AppError::internal)?;
    let now = bench.clock.now();
    let made = campaigns::create(&bench.by_hand, Actor::System, &new, CURRENCY, now).await?;
    let asked = NewIssue { quantity, prefix: None, length: None, expires_at: None };
    Ok(service::issue(&bench.by_hand, Actor::System, made.id, &asked, None, now).await?.0)
}
