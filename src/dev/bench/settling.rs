//! Payments settled a second: from Stripe's signed events, as they come in, to orders that are paid, members who have their
//! numbers and mails that wait to be sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use tokio::time::sleep;

use super::figures::Spread;
use super::load::{self, Requests, Target, Until, request};
use super::shop::Buyer;
use super::{Bench, count};
use crate::dev::rehearse::{RehearsalError, SECRET_KEY, WEBHOOK_SECRET, impossible};
use crate::dev::stripe::sign;
use crate::error::AppError;

/// Events that Stripe sends at a time.
const LANES: usize = 24;
/// How long anything that was begun here may take.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOKS_EVERY: Duration = Duration::from_millis(10);

/// Settled payments a second, and somebody who is a member by it.
///
/// # Errors
/// When it could not be measured.
pub async fn measure(bench: &Bench, stripe_url: &str) -> Result<(Spread, Buyer), RehearsalError> {
    let mut rates = Vec::with_capacity(bench.rounds);
    let (_, mut members) = settle(bench, stripe_url, bench.scaled(256)).await?;
    for _ in 0..bench.rounds {
        rates.push(settle(bench, stripe_url, bench.scaled(2_048)).await?.0);
    }
    let member = members.pop().ok_or_else(|| impossible("nobody is a member"))?;
    Ok((Spread::of(rates.into_iter()), member))
}

/// Settles so many membership orders of people who never bought. They are members then.
///
/// # Errors
/// When it could not be measured.
async fn settle(
    bench: &Bench,
    stripe_url: &str,
    how_many: usize,
) -> Result<(f64, Vec<Buyer>), RehearsalError> {
    let buyers = bench.buyers(how_many).await?;
    let asked = u64::try_from(how_many).unwrap_or_default();
    let orders = Target {
        addresses: bench.addresses.clone(),
        requests: bench.shop.orders(&buyers, |_| bench.shop.drive_line()),
        expected: 201,
    };
    load::closed(orders, LANES, 0, Until::Asked(asked)).await?.sound()?;
    wait(bench, "SELECT count(*) AS count FROM payments WHERE state = 'preparing'").await?;
    pay_all(bench, stripe_url).await?;
    let events = signed(stripe_url, bench.clock.now().timestamp(), how_many).await?;
    let hooks = Target { addresses: bench.addresses.clone(), requests: events, expected: 200 };
    let begun = Instant::now();
    load::closed(hooks, LANES, 0, Until::Asked(asked)).await?.sound()?;
    wait(bench, "SELECT count(*) AS count FROM orders WHERE has_membership AND state = 'pending_payment'")
        .await?;
    Ok((load::precise(asked) / begun.elapsed().as_secs_f64(), buyers))
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
async fn pay_all(bench: &Bench, stripe_url: &str) -> Result<(), RehearsalError> {
    #[derive(QueryableByName)]
    struct Page {
        #[diesel(sql_type = Text)]
        url: String,
    }
    let mut conn = bench.connect().await?;
    let pages: Vec<Page> =
        diesel::sql_query("SELECT url FROM payments WHERE state = 'ready' AND url IS NOT NULL")
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
    let asked = u64::try_from(ready.len()).unwrap_or_default();
    let target = Target { addresses: vec![address], requests: one_each(ready), expected: 303 };
    load::closed(target, LANES, 0, Until::Asked(asked)).await?.sound()?;
    Ok(())
}

/// The newest events of that kind, as Stripe would send them.
async fn signed(stripe_url: &str, seconds: i64, how_many: usize) -> Result<Requests, RehearsalError> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (mut ready, mut after) = (Vec::with_capacity(how_many), String::new());
    while ready.len() < how_many {
        let url = format!("{stripe_url}/v1/events?type=checkout.session.completed&limit=100{after}");
        let page: Value =
            client.get(url).bearer_auth(SECRET_KEY).send().await?.error_for_status()?.json().await?;
        let events = page.pointer("/data").and_then(Value::as_array).cloned().unwrap_or_default();
        let last = events.last().and_then(|event| event.pointer("/id")?.as_str());
        after =
            last.map(|id| format!("&starting_after={id}")).ok_or_else(|| impossible("events are missing"))?;
        for event in events {
            let body = event.to_string();
            let signature = sign(body.as_bytes(), seconds, &[&WEBHOOK_SECRET.to_owned()]);
            let headers = [("Stripe-Signature", signature.as_str())];
            ready.push(request("POST", "/v1/stripe/webhooks", &headers, &body));
        }
    }
    ready.truncate(how_many);
    Ok(one_each(ready))
}

fn one_each(ready: Vec<Vec<u8>>) -> Requests {
    Arc::new(move |number, out| {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        out.extend_from_slice(ready.get(at).map_or(&[], Vec::as_slice));
    })
}
