//! Requests a second of who only looks.

use std::time::Duration;

use actix_web::web::Bytes;
use serde_json::Value;

use super::Bench;
use super::bare::{BYTES, Bare, ROW};
use super::figures::{Compared, Goal, Round};
use super::load::{self, Seen, Target, Until, in_turn, request};
use super::machine::Cores;
use super::shop::Buyer;
use super::wire::Wire;
use crate::db::{self, Statements};
use crate::dev::rehearse::{RehearsalError, impossible};

/// People who look at a time.
const LOOKERS: usize = 64;
const SECONDS: f64 = 3.0;

/// Pages for everybody, and what members see of themselves: each of `members` has a membership.
///
/// # Errors
/// When they could not be measured, or somebody was answered what nobody expects.
pub async fn measure(bench: &Bench, members: &[Buyer]) -> Result<Vec<Compared>, RehearsalError> {
    let mut found = Vec::new();
    let drive = format!("/v1/drives/{}", bench.shop.drive.0);
    let sold_out = format!("/v1/drops/{}", bench.shop.sold_out);
    let pages = [
        ("catalog_list", "/v1/products"),
        ("catalog_detail", "/v1/products/hot"),
        ("catalog_sold_out", sold_out.as_str()),
        ("catalog_drive", drive.as_str()),
    ];
    for (name, path) in pages {
        let asked = request("GET", path, &[], "");
        let bare = Bare::start(body_of(bench, &asked).await?, db::pool(&bench.url, 1, Statements::Kept)?)?;
        let simple = vec![request("GET", BYTES, &[], "")];
        let rounds = compare(bench, vec![asked], (&bare, simple)).await?;
        bare.stop().await;
        found.push(Compared {
            name,
            of: "a bare handler with the same bytes",
            goal: Goal::AtLeast(0.8),
            rounds,
        });
    }
    let worst = found.iter().min_by(|a, b| a.ratio().median.total_cmp(&b.ratio().median));
    let worst = worst.map(|worst| Compared { name: "catalog", of: "the worst of these", ..worst.clone() });
    found.extend(worst);
    let mut own = own_reads(bench, members).await?;
    let worst = own.iter().min_by(|a, b| a.ratio().median.total_cmp(&b.ratio().median));
    let worst =
        worst.map(|worst| Compared { name: "signed_in_read", of: "the worse of these", ..worst.clone() });
    own.extend(worst);
    found.extend(own);
    Ok(found)
}

/// Their memberships and their orders, against one row by its primary key.
async fn own_reads(bench: &Bench, members: &[Buyer]) -> Result<Vec<Compared>, RehearsalError> {
    let (mut memberships, mut orders, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for member in members {
        let bearer = format!("Bearer {}", member.token);
        let asked = |path: &str| request("GET", path, &[("Authorization", bearer.as_str())], "");
        let listed: Value = serde_json::from_slice(&body_of(bench, &asked("/v1/orders")).await?)
            .map_err(crate::error::AppError::internal)?;
        let order = listed.pointer("/data/0/id").and_then(Value::as_str);
        let order = order.ok_or_else(|| impossible("no order to read"))?;
        memberships.push(asked("/v1/me/membership"));
        orders.push(asked(&format!("/v1/orders/{order}")));
        rows.push(request("GET", &format!("{ROW}{order}"), &[], ""));
    }
    let mut found = Vec::new();
    for (name, asked) in [("read_membership", memberships), ("read_order", orders)] {
        let bare = Bare::start(Bytes::new(), db::pool(&bench.url, bench.connections, Statements::Kept)?)?;
        let rounds = compare(bench, asked, (&bare, rows.clone())).await?;
        bare.stop().await;
        found.push(Compared { name, of: "one row by its primary key", goal: Goal::AtLeast(0.6), rounds });
    }
    Ok(found)
}

async fn body_of(bench: &Bench, asked: &[u8]) -> Result<Bytes, RehearsalError> {
    let address = bench.addresses.first().ok_or_else(|| impossible("there is no instance"))?;
    let mut wire = Wire::connect(*address).await?;
    let reply = wire.call(asked).await?;
    if reply.status != 200 {
        return Err(impossible(format!("a page answers {}", reply.status)));
    }
    Ok(Bytes::copy_from_slice(reply.body))
}

async fn compare(
    bench: &Bench,
    asked: Vec<Vec<u8>>,
    (bare, simple): (&Bare, Vec<Vec<u8>>),
) -> Result<Vec<Round>, RehearsalError> {
    let ours = Target { addresses: bench.addresses.clone(), requests: in_turn(asked), expected: 200 };
    let limit = Target { addresses: vec![bare.address], requests: in_turn(simple), expected: 200 };
    let (time, warm) = (bench.time(SECONDS), Duration::from_millis(500));
    let mut rounds = Vec::with_capacity(bench.rounds);
    for target in [&ours, &limit] {
        load::closed(target.clone(), LOOKERS, 0, Until::Over(warm)).await?.sound()?;
    }
    for _ in 0..bench.rounds {
        let (seen, cores) = look(bench, &ours, time).await?;
        let (least, _) = look(bench, &limit, time).await?;
        rounds.push(Round { ours: seen.per_second(), limit: least.per_second(), cores });
    }
    Ok(rounds)
}

/// How often a page is read a second.
///
/// # Errors
/// When it could not be measured, or somebody was answered what nobody expects.
pub async fn rate(bench: &Bench, asked: Vec<u8>) -> Result<f64, RehearsalError> {
    let target = Target { addresses: bench.addresses.clone(), requests: in_turn(vec![asked]), expected: 200 };
    Ok(look(bench, &target, bench.time(SECONDS)).await?.0.per_second())
}

async fn look(bench: &Bench, target: &Target, time: Duration) -> Result<(Seen, Cores), RehearsalError> {
    let before = bench.processes.look();
    let seen = load::closed(target.clone(), LOOKERS, 0, Until::Over(time)).await?.sound()?;
    Ok((seen, bench.processes.look().since(&before)))
}
