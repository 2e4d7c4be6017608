//! Payments settled a second: from Stripe's signed events, as they come in, to orders that are paid, members who have their
//! numbers and mails that wait to be sent. What follows from it runs beside it, as in a shop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::figures::{Compared, Goal, Round};
use super::limit::settling::{Paid, Settling};
use super::limit::{self, BATCH};
use super::load::{self, Requests, Target, Until, request};
use super::machine::Cores;
use super::shop::Buyer;
use super::{Bench, count, far};
use crate::dev::rehearse::{RehearsalError, SECRET_KEY, WEBHOOK_SECRET, impossible};
use crate::dev::stripe::sign;
use crate::error::AppError;
use crate::jobs::Lane;

/// Events that Stripe sends at a time.
const LANES: usize = 24;
/// How long anything that was begun here may take.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOKS_EVERY: Duration = Duration::from_millis(25);

/// Settled payments a second, and who are members by it.
///
/// # Errors
/// When it could not be measured.
pub async fn measure(bench: &Bench, stripe_url: &str) -> Result<(Compared, Vec<Buyer>), RehearsalError> {
    let to_settle = async |count| {
        let buyers = bench.buyers(bench.scaled(count)).await?;
        let bought = buy(bench, stripe_url, &buyers, bench.shop.drive_line()).await?;
        Ok::<_, RehearsalError>((buyers, bought))
    };
    let (members, bought) = to_settle(256).await?;
    settle(bench, bought).await?;
    let mut rounds = Vec::with_capacity(bench.rounds);
    for _ in 0..bench.rounds {
        let (ours, cores) = settle(bench, to_settle(2_048).await?.1).await?;
        let limit = by_hand(bench, to_settle(2_048).await?.1.events).await?;
        rounds.push(Round { ours, limit, cores });
    }
    let of = "rows by set-based SQL, 256 orders a transaction";
    Ok((Compared { name: "settle", of, goal: Goal::AtLeast(0.3), rounds }, members))
}

/// Orders that were paid; Stripe's events of it are still to be sent.
pub struct Bought {
    pub placed_per_s: f64,
    events: Vec<Paid>,
    /// Earlier than any id of them: so they are found among millions of others.
    since: Uuid,
}

/// Everybody orders this and pays it.
///
/// # Errors
/// When anything was answered that nobody expects.
pub async fn buy(
    bench: &Bench,
    stripe_url: &str,
    buyers: &[Buyer],
    line: Value,
) -> Result<Bought, RehearsalError> {
    let since = Uuid::now_v7();
    let orders = Target {
        addresses: bench.addresses.clone(),
        requests: bench.shop.orders(buyers, |_| line.clone()),
        expected: 201,
    };
    let placed = load::closed(orders, LANES, 0, Until::Asked(asked(buyers.len()))).await?.sound()?;
    let preparing = "SELECT count(*) AS count FROM payments WHERE state = 'preparing' AND id > '$since'";
    wait(bench, &preparing.replace("$since", &since.to_string())).await?;
    pay_all(bench, stripe_url, since).await?;
    Ok(Bought { placed_per_s: placed.per_second(), events: events(stripe_url, buyers.len()).await?, since })
}

/// How many the program settles a second.
///
/// # Errors
/// When it could not be measured.
pub async fn settle(bench: &Bench, bought: Bought) -> Result<(f64, Cores), RehearsalError> {
    let asked = asked(bought.events.len());
    let requests = signed(&bought.events, bench.clock.now().timestamp());
    let pending = "SELECT count(*) AS count FROM orders WHERE state = 'pending_payment' AND id > '$since'";
    let pending = pending.replace("$since", &bought.since.to_string());
    let hooks = Target { addresses: bench.addresses.clone(), requests, expected: 200 };
    let (before, begun) = (bench.processes.look(), Instant::now());
    load::closed(hooks, LANES, 0, Until::Asked(asked)).await?.sound()?;
    wait(bench, &pending).await?;
    let rate = load::precise(asked) / begun.elapsed().as_secs_f64();
    let cores = bench.processes.look().since(&before);
    wait(bench, &follows(bench)).await?;
    Ok((rate, cores))
}

/// How many are settled a second where the rows are all there is to do.
async fn by_hand(bench: &Bench, events: Vec<Paid>) -> Result<f64, RehearsalError> {
    let asked = asked(events.len());
    let mut conn = bench.connect().await?;
    let settling = Settling::of(&mut conn, events, far(bench)).await?;
    let begun = Instant::now();
    limit::settling::settle(&bench.by_hand, &settling, BATCH).await?;
    let rate = load::precise(asked) / begun.elapsed().as_secs_f64();
    settling.hand_over(&mut conn).await?;
    wait(bench, &follows(bench)).await?;
    Ok(rate)
}

/// Jobs that are due: what follows from settling, such as invoices and mails, isn't left to the next round.
fn follows(bench: &Bench) -> String {
    let now = bench.clock.now().to_rfc3339();
    let counted = |rest: String| format!("(SELECT count(*) FROM jobs WHERE {rest})");
    let due = |lane: Lane| {
        counted(format!("state = 'queued' AND lane = '{}' AND run_at <= '{now}'", lane.as_str()))
    };
    format!(
        "SELECT {} + {} AS count",
        Lane::ALL.map(due).join(" + "),
        counted("state = 'running'".to_owned())
    )
}

fn asked(how_many: usize) -> u64 {
    u64::try_from(how_many).unwrap_or_default()
}

/// Until a statement counts nothing any more.
async fn wait(bench: &Bench, sql: &str) -> Result<(), RehearsalError> {
    let mut conn = bench.connect().await?;
    let begun = Instant::now();
    while count(&mut conn, sql).await? > 0 {
        if begun.elapsed() > PATIENCE {
            return Err(impossible(format!("still there after {} s: {sql}", PATIENCE.as_secs())));
        }
        sleep(LOOKS_EVERY).await;
    }
    Ok(())
}

/// Everybody pays on Stripe's page; its events are sent by us.
async fn pay_all(bench: &Bench, stripe_url: &str, since: Uuid) -> Result<(), RehearsalError> {
    #[derive(QueryableByName)]
    struct Page {
        #[diesel(sql_type = Text)]
        url: String,
    }
    let mut conn = bench.connect().await?;
    let pages: Vec<Page> =
        diesel::sql_query("SELECT url FROM payments WHERE state = 'ready' AND url IS NOT NULL AND id > $1")
            .bind::<SqlUuid, _>(since)
            .load(&mut conn)
            .await
            .map_err(AppError::from)?;
    let stripe = stripe_url.trim_start_matches("http://").trim_end_matches('/');
    let address = stripe.parse().map_err(|_| impossible("the simulator's address can't be read"))?;
    let form = "action=pay_unseen&method=wechat_pay";
    let ready: Vec<Vec<u8>> = pages
        .iter()
        .map(|page| {
            let path = page.url.trim_start_matches("http://").split_once('/').map_or("", |(_, path)| path);
            format!(
                "POST /{path} HTTP/1.1\r\nHost: {stripe}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {}\r\n\r\n{form}",
                form.len()
            )
            .into_bytes()
        })
        .collect();
    let asked = asked(ready.len());
    let target = Target { addresses: vec![address], requests: one_each(ready), expected: 303 };
    load::closed(target, LANES, 0, Until::Asked(asked)).await?.sound()?;
    Ok(())
}

/// The newest events that say that a session was paid.
async fn events(stripe_url: &str, how_many: usize) -> Result<Vec<Paid>, RehearsalError> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (mut found, mut after) = (Vec::with_capacity(how_many), String::new());
    while found.len() < how_many {
        let url = format!("{stripe_url}/v1/events?type=checkout.session.completed&limit=100{after}");
        let page: Value =
            client.get(url).bearer_auth(SECRET_KEY).send().await?.error_for_status()?.json().await?;
        let events = page.pointer("/data").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let last = events.last().and_then(|event| event.pointer("/id")?.as_str());
        after =
            last.map(|id| format!("&starting_after={id}")).ok_or_else(|| impossible("events are missing"))?;
        found.extend(events.iter().filter_map(Paid::read));
    }
    found.truncate(how_many);
    Ok(found)
}

/// As Stripe would send them.
fn signed(events: &[Paid], seconds: i64) -> Requests {
    let request = |event: &Paid| {
        let signature = sign(&event.payload, seconds, &[&WEBHOOK_SECRET.to_owned()]);
        let headers = [("Stripe-Signature", signature.as_str())];
        request("POST", "/v1/stripe/webhooks", &headers, &String::from_utf8_lossy(&event.payload))
    };
    one_each(events.iter().map(request).collect())
}

fn one_each(ready: Vec<Vec<u8>>) -> Requests {
    Arc::new(move |number, out| {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        out.extend_from_slice(ready.get(at).map_or(&[], Vec::as_slice));
    })
}
