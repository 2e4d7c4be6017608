//! The judgement: tables, the simulator's book and the buyers' own sightings, side by side.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::coupons::{self, Made};
use super::report::{Latency, Report, tenths};
use super::sale::{Seen, Sightings};
use super::scenario::{Kind, Scenario, connect, sql_time};
use super::{RehearsalError, parcels};
use crate::dev::stripe::{Book, BookedPayment, Simulator};
use crate::ports::clock::Clock;
use crate::types::money::Money;

/// Work that is due, or that failed and is to be tried again, by what it is. What is planned for later (a membership's end,
/// a hold that was paid in time) isn't.
const OPEN_WORK: &str = "SELECT 'job ' || kind, count(*) FROM jobs WHERE state = 'running'
            OR (state = 'queued' AND (run_at <= {now} OR attempts > 0)) GROUP BY kind
    UNION ALL SELECT 'mail', count(*) FROM mails WHERE state = 'queued'
    UNION ALL SELECT 'event', count(*) FROM stripe_events WHERE state = 'received'
    UNION ALL SELECT 'refund', count(*) FROM refunds WHERE state = 'queued'
    UNION ALL SELECT 'order', count(*) FROM orders WHERE state = 'pending_payment'";

/// Rows that say one thing twice. A unique index stands behind each; here the rows are counted.
const DOUBLES: [(&str, &str); 16] = [
    ("keys", "SELECT count(*) FROM idempotency_keys GROUP BY account_id, route, key"),
    (
        "settlements",
        "SELECT count(*) FROM payments WHERE captured_minor > 0 AND NOT sent_back GROUP BY order_id",
    ),
    ("terms", "SELECT count(*) FROM membership_terms WHERE line_id IS NOT NULL GROUP BY line_id"),
    (
        "memberships",
        "SELECT count(*) FROM memberships WHERE state IN ('active', 'frozen') GROUP BY account_id",
    ),
    ("numbers", "SELECT count(*) FROM member_numbers GROUP BY account_id"),
    ("places", "SELECT count(*) FROM series_places WHERE released_at IS NULL GROUP BY series, account_id"),
    // Each drop's cap is one a person.
    (
        "units of a person",
        "SELECT sum(quantity) FROM drop_purchases WHERE released_at IS NULL GROUP BY drop_id, person_key",
    ),
    (
        "uses of an F-code",
        "SELECT count(*) FROM order_lines l JOIN orders o ON o.id = l.order_id
         WHERE l.f_code_id IS NOT NULL AND o.state IN ('paid', 'fulfilled') GROUP BY l.f_code_id",
    ),
    ("refunds", "SELECT count(*) FROM refunds GROUP BY cause"),
    ("mails", "SELECT count(*) FROM mails GROUP BY cause"),
    // Each order is of one unit: it goes out once, is told of once, and comes back once.
    ("parcels", "SELECT sum(quantity) FROM shipment_lines GROUP BY line_id"),
    (
        "mails of parcels",
        "SELECT count(*) FROM mails m JOIN shipments s ON m.cause = 'shipped:shp_' || replace(s.id::text, '-', '')
         GROUP BY s.order_id",
    ),
    ("returns", "SELECT sum(restocked + written_off) FROM return_lines GROUP BY line_id"),
    ("coupons of a person", "SELECT count(*) FROM give_out_claims GROUP BY give_out_id, person_key"),
    (
        "uses of a coupon",
        "SELECT count(*) FROM coupon_uses WHERE released_at IS NULL GROUP BY campaign_id, person_key",
    ),
    ("moves of stock", "SELECT count(*) FROM stock_moves GROUP BY cause"),
];

/// Orders of members in a drop before its door for members was open; diehard ones have another.
const EARLY: &str = "SELECT count(*) FROM orders o JOIN order_lines l ON l.order_id = o.id
    JOIN drop_audiences a ON a.drop_id = l.drop_id AND a.buyers ->> 'who' = 'members' AND o.created_at < a.opens_at
    JOIN memberships m ON m.account_id = o.account_id JOIN tiers t ON t.id = m.tier_id AND t.code = 'regular'";

/// What the sale itself brought, before anything was sent or came back.
pub struct Brought {
    /// Memberships by tier, units by SKU, or uses by campaign.
    pub sold: BTreeMap<String, i64>,
    pub captured_minor: i64,
    pub refunded_minor: i64,
}

impl Brought {
    /// By our tables; the simulator's book has to agree.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(
        url: &str,
        scenario: &Scenario,
        book: &Book,
        seen: &Seen,
    ) -> Result<Self, RehearsalError> {
        let client = connect(url).await?;
        let mut against = Vec::new();
        compare_books(book, &captures(&client).await?, &mut against);
        against.iter().for_each(|reason| seen.complain(&format!("at the end of the sale: {reason}")));
        let (captured_minor, refunded_minor) = (book.captured_minor, book.refunded_minor);
        Ok(Self { sold: sold(&client, scenario.kind).await?, captured_minor, refunded_minor })
    }
}

/// What is judged.
pub struct Evidence<'a> {
    pub url: &'a str,
    pub scenario: &'a Scenario,
    pub brought: Brought,
    /// How long it took to send all of it and to take some of it back; none where nothing is sent.
    pub fulfilled_in: Option<Duration>,
    /// How long a million codes took; none where no coupons are given out.
    pub codes: Option<Made>,
    pub book: Book,
    pub seen: Sightings,
    pub oversold: i64,
    pub clock: &'a Clock,
    pub buyers: u32,
}

/// Waits until no work is left and Stripe's money is all in our tables; what is left if that takes longer than `limit`.
///
/// # Errors
/// The database's.
pub async fn drain(
    url: &str,
    simulator: &Simulator,
    clock: &Clock,
    limit: Duration,
) -> Result<Vec<String>, RehearsalError> {
    let client = connect(url).await?;
    let begun = Instant::now();
    loop {
        let mut left = Vec::new();
        for row in client.query(&OPEN_WORK.replace("{now}", &sql_time(clock.now())), &[]).await? {
            let (what, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            if count > 0 {
                left.push(format!("{what}: {count}"));
            }
        }
        let captured =
            count(&client, "SELECT coalesce(sum(captured_minor), 0)::bigint FROM payments").await?;
        let uncaptured = simulator.book().captured_minor - captured;
        if uncaptured != 0 {
            left.push(format!("uncaptured: {uncaptured}"));
        }
        if left.is_empty() || begun.elapsed() > limit {
            return Ok(left);
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// One number.
///
/// # Errors
/// The database's.
pub async fn count(client: &Client, sql: &str) -> Result<i64, tokio_postgres::Error> {
    client.query_one(sql, &[]).await?.try_get(0)
}

/// Puts the report together and says, in the log, whatever speaks against passing.
///
/// # Errors
/// The database's.
pub async fn judge(evidence: Evidence<'_>, elapsed: Duration) -> Result<Report, RehearsalError> {
    let client = connect(evidence.url).await?;
    let mut against = Vec::new();
    let scenario = evidence.scenario;
    let sold = evidence.brought.sold.clone();
    let quotas: BTreeMap<_, _> =
        scenario.wares.iter().map(|ware| (ware.key.to_owned(), ware.quota)).collect();
    if sold != quotas {
        against.push(format!("sold {sold:?}, to be sold {quotas:?}"));
    }
    let beyond = |(key, count): (&String, &i64)| (count - quotas.get(key).unwrap_or(&0)).max(0);
    let oversold = evidence.oversold.max(sold.iter().map(beyond).sum());
    let captures = captures(&client).await?;
    compare_books(&evidence.book, &captures, &mut against);
    let revenue_minor = evidence.brought.captured_minor - evidence.brought.refunded_minor;
    if revenue_minor != scenario.revenue_minor() {
        against.push(format!("revenue {revenue_minor}, expected {}", scenario.revenue_minor()));
    }
    let numbers = numbers(&client).await?;
    let number_gaps = gaps(&numbers);
    let lost = lost(&client, &evidence, &captures, &numbers).await?;
    let doubled = doubled(&client, &evidence).await?;
    let orders = count(&client, "SELECT count(*) FROM orders").await?;
    let early = count(&client, EARLY).await?;
    if early > 0 {
        against.push(format!("{early} orders came in before their buyers' door was open"));
    }
    let fulfilment = match evidence.fulfilled_in {
        None => None,
        Some(took) => {
            let sources = (scenario, &evidence.seen, &evidence.book);
            Some(parcels::judge(&client, sources, &evidence.brought, took, &mut against).await?)
        }
    };
    let coupons = match evidence.codes {
        None => None,
        Some(made) => Some(coupons::judge(&client, scenario, made, &mut against).await?),
    };
    let failed = failed_checks(evidence.url, evidence.clock).await?;
    for (what, found) in
        [("oversold", oversold), ("number gaps", number_gaps), ("lost", lost), ("doubled", doubled)]
    {
        if found != 0 {
            against.push(format!("{what}: {found}"));
        }
    }
    against.extend(failed.iter().map(|name| format!("check failed: {name}")));
    let Sightings { complaints, complaints_count, .. } = &evidence.seen;
    if *complaints_count > 0 {
        against.push(format!("buyers complained {complaints_count} times, as: {complaints:?}"));
    }
    for reason in &against {
        tracing::error!("{reason}");
    }
    tracing::info!(retries = evidence.seen.retries, refusals = ?evidence.seen.refusals, "what the buyers met");
    Ok(Report {
        name: scenario.name.to_owned(),
        seconds: tenths(elapsed.as_secs_f64()),
        buyers: evidence.buyers.into(),
        orders,
        sold,
        revenue: Money::new(revenue_minor, scenario.currency),
        oversold,
        number_gaps,
        lost,
        doubled,
        throughput_per_s: throughput(orders, &evidence.seen),
        latency_ms: Latency::of(evidence.seen.latencies),
        fulfilment,
        coupons,
        checks_failed: i64::try_from(failed.len()).unwrap_or(i64::MAX),
        passed: against.is_empty(),
    })
}

fn throughput(orders: i64, seen: &Sightings) -> f64 {
    let (Some(first), Some(last)) = (seen.first_order_at, seen.last_order_at) else { return 0.0 };
    let seconds = (last - first).as_secs_f64().max(0.001);
    tenths(u32::try_from(orders).map_or(0.0, f64::from) / seconds)
}

/// Memberships that stand, by tier; units that were paid for, by SKU; or coupons that were used, by campaign.
async fn sold(client: &Client, kind: Kind) -> Result<BTreeMap<String, i64>, tokio_postgres::Error> {
    let sql = match kind {
        Kind::Drives => {
            "SELECT t.code, count(m.id) FROM tiers t LEFT JOIN memberships m ON m.tier_id = t.id
             AND m.state = 'active' GROUP BY t.code"
        }
        Kind::Goods { .. } => {
            "SELECT v.sku, sum(l.quantity)::bigint FROM order_lines l JOIN orders o ON o.id = l.order_id
             JOIN variants v ON v.id = l.variant_id WHERE o.state IN ('paid', 'fulfilled') GROUP BY v.sku"
        }
        Kind::Coupons { .. } => {
            "SELECT k.code, count(*) FROM coupon_campaigns k JOIN coupon_uses u ON u.campaign_id = k.id
             JOIN orders o ON o.id = u.order_id WHERE o.state IN ('paid', 'fulfilled') GROUP BY k.code"
        }
    };
    let rows = client.query(sql, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// A payment that our tables say was captured.
pub struct Capture {
    order: String,
    intent: String,
    amount_minor: i64,
    refunded_minor: i64,
    /// Lines that became a term, or whose units are the buyer's.
    delivered: i64,
}

/// All payments that our tables say were captured, by their ids.
///
/// # Errors
/// The database's.
pub async fn captures(client: &Client) -> Result<HashMap<String, Capture>, tokio_postgres::Error> {
    let sql = "SELECT 'pay_' || replace(p.id::text, '-', ''), 'ord_' || replace(p.order_id::text, '-', ''),
            coalesce(p.stripe_payment_intent_id, ''), p.captured_minor,
            (SELECT coalesce(sum(r.amount_minor), 0)::bigint FROM refunds r
                WHERE r.payment_id = p.id AND r.state IN ('pending', 'succeeded')),
            (SELECT count(*) FROM order_lines l WHERE l.order_id = p.order_id
                AND (l.id IN (SELECT line_id FROM membership_terms)
                     OR (l.variant_id IS NOT NULL AND EXISTS
                         (SELECT FROM claims c WHERE c.line_id = l.id AND c.state = 'taken'))))
        FROM payments p WHERE p.captured_minor > 0";
    let mut captures = HashMap::new();
    for row in client.query(sql, &[]).await? {
        let capture = Capture {
            order: row.try_get(1)?,
            intent: row.try_get(2)?,
            amount_minor: row.try_get(3)?,
            refunded_minor: row.try_get(4)?,
            delivered: row.try_get(5)?,
        };
        captures.insert(row.try_get(0)?, capture);
    }
    Ok(captures)
}

/// Lays both books side by side, payment by payment.
pub fn compare_books(book: &Book, ours: &HashMap<String, Capture>, against: &mut Vec<String>) {
    let captured: i64 = ours.values().map(|capture| capture.amount_minor).sum();
    let refunded: i64 = ours.values().map(|capture| capture.refunded_minor).sum();
    if (captured, refunded) != (book.captured_minor, book.refunded_minor) {
        let (theirs, back) = (book.captured_minor, book.refunded_minor);
        against.push(format!("captured {captured}, Stripe {theirs}; sent back {refunded}, Stripe {back}"));
    }
    if book.payments.len() != ours.len() {
        against.push(format!("{} payments, Stripe has {}", ours.len(), book.payments.len()));
    }
    for paid in &book.payments {
        let found = paid.payment_id.as_ref().and_then(|id| ours.get(id));
        let agrees = found.is_some_and(|ours| {
            (ours.amount_minor, ours.refunded_minor) == (paid.amount_minor, paid.refunded_minor)
                && ours.intent == paid.payment_intent
                && paid.order_id.as_ref() == Some(&ours.order)
        });
        if !agrees {
            against.push(format!("the books disagree about {:?}", paid.payment_id));
        }
    }
}

/// Every number's sequence, by the number.
async fn numbers(client: &Client) -> Result<HashMap<String, i64>, tokio_postgres::Error> {
    let rows = client.query("SELECT number, sequence FROM member_numbers", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Numbers that are missing between 1 and the highest, and those that are there twice.
fn gaps(numbers: &HashMap<String, i64>) -> i64 {
    let highest = numbers.values().copied().max().unwrap_or(0);
    let distinct: HashSet<_> = numbers.values().collect();
    let (distinct, all) = (distinct.len(), numbers.len());
    let missing = highest - i64::try_from(distinct).unwrap_or(0);
    missing + i64::try_from(all - distinct).unwrap_or(0)
}

/// Promises without a trace: a 201 whose order is gone, money without a membership, goods or its way back, a number that a
/// buyer saw and no row has, goods that never went out.
async fn lost(
    client: &Client,
    evidence: &Evidence<'_>,
    captures: &HashMap<String, Capture>,
    numbers: &HashMap<String, i64>,
) -> Result<i64, tokio_postgres::Error> {
    let rows = client.query("SELECT 'ord_' || replace(id::text, '-', '') FROM orders", &[]).await?;
    let known: HashSet<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let promised = evidence.seen.orders_of_key.values().flatten();
    let orders = promised.filter(|order| !known.contains(*order)).count();
    let is_lost = |paid: &&BookedPayment| {
        let ours = paid.payment_id.as_ref().and_then(|id| captures.get(id));
        !ours.is_some_and(|ours| ours.delivered > 0 || ours.refunded_minor == paid.amount_minor)
    };
    let payments = evidence.book.payments.iter().filter(is_lost).count();
    let fulfilled: HashSet<_> =
        captures.values().filter(|c| c.delivered > 0).map(|c| c.order.as_str()).collect();
    let members = &evidence.seen.members;
    let is_gone = |(order, number): &(&String, &String)| {
        !fulfilled.contains(order.as_str()) || !numbers.contains_key(*number)
    };
    let is_kept = |order: &&String| !evidence.seen.cancelled.contains_key(*order);
    let goods = evidence.seen.goods.keys().filter(is_kept);
    let mut gone = members.iter().filter(is_gone).count();
    gone += goods.filter(|order| !fulfilled.contains(order.as_str())).count();
    if evidence.fulfilled_in.is_some() {
        gone += parcels::lost(client, &evidence.seen, &evidence.book).await?;
    }
    Ok(i64::try_from(orders + payments + gone).unwrap_or(i64::MAX))
}

/// Things that happened twice, by what buyers saw, by the rows, and by Stripe's book.
async fn doubled(client: &Client, evidence: &Evidence<'_>) -> Result<i64, tokio_postgres::Error> {
    let more = |count: usize| i64::try_from(count.saturating_sub(1)).unwrap_or(0);
    let keys: i64 = evidence.seen.orders_of_key.values().map(|orders| more(orders.len())).sum();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for number in evidence.seen.members.values() {
        *numbers.entry(number).or_default() += 1;
    }
    let mut kept: HashMap<Option<&str>, usize> = HashMap::new();
    for paid in evidence.book.payments.iter().filter(|paid| paid.refunded_minor < paid.amount_minor) {
        *kept.entry(paid.order_id.as_deref()).or_default() += 1;
    }
    let mut doubled = keys;
    doubled += numbers.values().map(|count| more(*count)).sum::<i64>();
    doubled += kept.values().map(|count| more(*count)).sum::<i64>();
    for (what, grouped) in DOUBLES {
        let sql = format!("SELECT coalesce(sum(n - 1), 0)::bigint FROM ({grouped}) AS found (n)");
        let found = count(client, &sql).await?;
        if found > 0 {
            tracing::error!(found, "doubled {what}");
        }
        doubled += found;
    }
    Ok(doubled)
}

/// The invariants that `kindred check` recomputes.
///
/// # Errors
/// The database's.
pub async fn failed_checks(url: &str, clock: &Clock) -> Result<Vec<String>, RehearsalError> {
    let mut conn = crate::db::establish(url).await.map_err(crate::error::AppError::internal)?;
    let report = crate::check::run(&mut conn, clock).await?;
    let failed = report.checks.into_iter().filter(|check| !check.ok);
    Ok(failed.map(|check| format!("{}: {}", check.name, check.detail)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(sequences: &[i64]) -> HashMap<String, i64> {
        sequences.iter().enumerate().map(|(at, sequence)| (format!("KD{at}"), *sequence)).collect()
    }

    #[test]
    fn gaps_are_missing_numbers_and_repeated_ones() {
        assert_eq!(gaps(&numbered(&[])), 0);
        assert_eq!(gaps(&numbered(&[1, 2, 3])), 0);
        assert_eq!(gaps(&numbered(&[1, 2, 5])), 2);
        assert_eq!(gaps(&numbered(&[2, 3])), 1);
        assert_eq!(gaps(&numbered(&[1, 1, 2])), 1);
    }

    #[test]
    fn books_that_differ_by_one_minor_unit_disagree() {
        let paid = BookedPayment {
            order_id: Some("ord_1".to_owned()),
            payment_id: Some("pay_1".to_owned()),
            payment_intent: "pi_1".to_owned(),
            amount_minor: 20_000,
            currency: "cny".to_owned(),
            refunded_minor: 0,
            method: crate::dev::stripe::Method::WechatPay,
            session: Some("cs_1".to_owned()),
        };
        let book = Book { captured_minor: 20_000, payments: vec![paid], ..Book::default() };
        let with = |amount_minor| {
            let capture = Capture {
                order: "ord_1".to_owned(),
                intent: "pi_1".to_owned(),
                amount_minor,
                refunded_minor: 0,
                delivered: 1,
            };
            HashMap::from([("pay_1".to_owned(), capture)])
        };
        let mut against = Vec::new();
        compare_books(&book, &with(20_000), &mut against);
        assert!(against.is_empty(), "{against:?}");
        compare_books(&book, &with(19_999), &mut against);
        assert_eq!(against.len(), 2, "{against:?}");
    }
}
