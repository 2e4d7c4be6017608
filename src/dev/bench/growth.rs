//! What becomes slower as a shop grows: the same, measured in a small shop and in one of a hundred times as many members,
//! which were made the same way. Each has an instance of its own; they are measured in turn.

use super::data::Data;
use super::figures::{Compared, Goal, Round};
use super::load::request;
use super::machine::Cores;
use super::shop::{Buyer, Shop};
use super::{Bench, UNPACED, reading, settling, start};
use crate::db;
use crate::dev::rehearse::instances::Fleet;
use crate::dev::rehearse::{RehearsalError, impossible, start_stripe};
use crate::dev::stripe::Running;
use crate::error::AppError;
use crate::ports::clock::Clock;

/// Members of the large shop in a full run, and how many times as many these are as the small one's.
const MEMBERS: f64 = 1_000_000.0;
const TIMES: i64 = 100;
const NAMES: [&str; 4] = ["growth_place", "growth_settle", "growth_catalog", "growth_read"];

/// How many members the large shop of a run has.
fn members(scale: f64) -> i64 {
    let members = (MEMBERS * scale).round().max(1_000.0);
    format!("{members}").parse().unwrap_or(1_000)
}

/// Makes both shops where they aren't there.
///
/// # Errors
/// When they can't be made.
pub async fn make(data: &Data, scale: f64) -> Result<(), RehearsalError> {
    for members in [members(scale) / TIMES, members(scale)] {
        data.shop(members).await?;
    }
    Ok(())
}

/// # Errors
/// When it could not be measured.
pub async fn measure(data: &Data, rounds: usize, scale: f64) -> Result<Vec<Compared>, RehearsalError> {
    let small = Grown::open(data, members(scale) / TIMES, scale).await?;
    let large = Grown::open(data, members(scale), scale).await?;
    // To warm up.
    for shop in [&small, &large] {
        shop.rates().await?;
    }
    let mut found: [Vec<Round>; 4] = Default::default();
    for _ in 0..rounds {
        let (limit, _) = small.rates().await?;
        let (ours, cores) = large.rates().await?;
        for ((rounds, ours), limit) in found.iter_mut().zip(ours).zip(limit) {
            rounds.push(Round { ours, limit, cores });
        }
    }
    let of = "a shop with a hundredth of the members";
    let compared = |(name, rounds)| Compared { name, of, goal: Goal::AtLeast(0.8), rounds };
    let mut compared: Vec<Compared> = NAMES.into_iter().zip(found).map(compared).collect();
    let worst = compared.iter().min_by(|a, b| a.ratio().median.total_cmp(&b.ratio().median)).cloned();
    compared.extend(worst.map(|worst| Compared { name: "growth_min", of: "the worst of these", ..worst }));
    Ok(compared)
}

/// A shop of some size, with its instance.
struct Grown {
    bench: Bench,
    stripe: Running,
    _fleet: Fleet,
}

impl Grown {
    async fn open(data: &Data, members: i64, scale: f64) -> Result<Self, RehearsalError> {
        let place = data.shop(members).await?;
        let (now, stripe) = (Clock::real().now(), start_stripe(&Clock::real(), None)?);
        db::migrate(place.url()).await?;
        let mut conn = db::establish(place.url()).await.map_err(AppError::internal)?;
        let shop = Shop::open(&mut conn, now).await?;
        let fleet = start(1, &place, (&stripe.url, UNPACED)).await?;
        Ok(Self { bench: Bench::of(&place, &fleet, shop, scale).await?, stripe, _fleet: fleet })
    }

    /// Orders placed and settled, and pages read a second, in the order of [`NAMES`].
    async fn rates(&self) -> Result<([f64; 4], Cores), RehearsalError> {
        let bench = &self.bench;
        let before = bench.processes.look();
        let buyers = bench.buyers(bench.scaled(2_048)).await?;
        let bought = settling::buy(bench, &self.stripe.url, &buyers, bench.shop.drive_line()).await?;
        let placed = bought.placed_per_s;
        let (settled, _) = settling::settle(bench, bought).await?;
        let catalog = reading::rate(bench, request("GET", "/v1/products", &[], "")).await?;
        let read = reading::rate(bench, own_membership(buyers.first())?).await?;
        Ok(([placed, settled, catalog, read], bench.processes.look().since(&before)))
    }
}

fn own_membership(member: Option<&Buyer>) -> Result<Vec<u8>, RehearsalError> {
    let member = member.ok_or_else(|| impossible("nobody is a member"))?;
    let bearer = format!("Bearer {}", member.token);
    Ok(request("GET", "/v1/me/membership", &[("Authorization", bearer.as_str())], ""))
}
