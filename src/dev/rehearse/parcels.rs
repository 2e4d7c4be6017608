//! What became of what was sold: every parcel, mail, unit and refund after the sale, by the rows, beside what buyers saw
//! and what Stripe booked.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;
use tokio_postgres::Client;

use super::figures::{Brought, count};
use super::report::tenths;
use super::sale::Sightings;
use super::scenario::Scenario;
use crate::dev::stripe::Book;
use crate::types::money::Money;

/// What happened between the last payment and the last refund.
#[derive(Clone, Debug, Serialize)]
pub struct Fulfilment {
    /// Until the last refund was asked for.
    pub seconds: f64,
    /// What was sold, less what its buyers cancelled.
    pub to_send: i64,
    pub parcels: i64,
    /// Mails that a parcel is on its way.
    pub shipped_mails: i64,
    /// Lists that were picked from.
    pub pick_lists: i64,
    /// Orders that their buyers cancelled after they had paid.
    pub cancelled: i64,
    /// Orders that came back.
    pub returned: i64,
    /// Units of them that are on sale again.
    pub restocked: i64,
    /// What went back for both.
    pub refunded: Money,
}

/// Units in the ledger that came back otherwise than the returns say; of a bundle its parts.
const MISPLACED: &str = "WITH back AS (SELECT l.variant_id AS variant, sum(r.restocked) AS units
        FROM return_lines r JOIN order_lines l ON l.id = r.line_id GROUP BY l.variant_id),
    wanted AS (SELECT variant, sum(units) AS units FROM (
            SELECT variant, units FROM back WHERE NOT EXISTS (SELECT FROM bundle_parts p WHERE p.bundle_id = variant)
            UNION ALL
            SELECT p.part_id, b.units * p.quantity FROM back b JOIN bundle_parts p ON p.bundle_id = b.variant) AS each
        GROUP BY variant),
    moved AS (SELECT variant_id AS variant, sum(quantity) AS units FROM stock_moves WHERE reason = 'returned'
        GROUP BY variant_id)
    SELECT count(*) FROM wanted FULL JOIN moved USING (variant) WHERE wanted.units IS DISTINCT FROM moved.units";

/// Claims that cancelled orders still have.
const KEPT: &str = "SELECT count(*) FROM claims c JOIN order_cancellations o ON o.order_id = c.order_id
    WHERE c.state IN ('held', 'taken')";

/// Mails about what was cancelled and what came back, by kind.
const MAILS: [(&str, &str); 3] = [
    ("order_cancelled", "SELECT count(*) FROM mails WHERE kind = 'order_cancelled' AND state = 'sent'"),
    ("return_approved", "SELECT count(*) FROM mails WHERE kind = 'return_approved' AND state = 'sent'"),
    (
        "refunded",
        "SELECT count(*) FROM mails m JOIN refunds r ON m.cause = 'refund:ref_' || replace(r.id::text, '-', '')
         WHERE m.kind = 'refunded' AND m.state = 'sent' AND r.cause LIKE 'return:%'",
    ),
];

/// Puts the figures together; what speaks against passing goes into `against`.
///
/// # Errors
/// The database's.
pub async fn judge(
    client: &Client,
    (scenario, seen, book): (&Scenario, &Sightings, &Book),
    brought: &Brought,
    took: Duration,
    against: &mut Vec<String>,
) -> Result<Fulfilment, tokio_postgres::Error> {
    let size = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
    let (cancelled, returned) = (size(seen.cancelled.len()), size(seen.returned.len()));
    let to_send = brought.sold.values().sum::<i64>() - cancelled;
    let found = Fulfilment {
        seconds: tenths(took.as_secs_f64()),
        to_send,
        parcels: count(client, "SELECT count(*) FROM shipments").await?,
        shipped_mails: count(client, "SELECT count(*) FROM mails WHERE kind = 'shipped' AND state = 'sent'")
            .await?,
        pick_lists: count(client, "SELECT count(*) FROM pick_lists").await?,
        cancelled: count(client, "SELECT count(*) FROM order_cancellations").await?,
        returned: count(client, "SELECT count(*) FROM returns WHERE state = 'refunded'").await?,
        restocked: count(client, "SELECT coalesce(sum(restocked), 0)::bigint FROM return_lines").await?,
        refunded: Money::new(book.refunded_minor - brought.refunded_minor, scenario.currency),
    };
    let mut expect = |what: &str, found: i64, expected: i64| {
        if found != expected {
            against.push(format!("{what}: {found}, expected {expected}"));
        }
    };
    expect("parcels", found.parcels, to_send);
    expect("mails of parcels", found.shipped_mails, to_send);
    expect("cancelled", found.cancelled, cancelled);
    expect("returned", found.returned, returned);
    expect("restocked", found.restocked, returned);
    let wanted = seen.cancelled.values().chain(seen.returned.values()).sum();
    expect("refunded after the sale", found.refunded.amount, wanted);
    let sent = "SELECT count(*) FROM orders WHERE state = 'fulfilled'";
    expect("orders that are done", count(client, sent).await?, to_send - returned);
    expect("variants of which other units came back", count(client, MISPLACED).await?, 0);
    expect("claims of cancelled orders", count(client, KEPT).await?, 0);
    for ((kind, sql), wanted) in MAILS.into_iter().zip([cancelled, returned, returned]) {
        expect(&format!("mails of kind {kind}"), count(client, sql).await?, wanted);
    }
    Ok(found)
}

/// Of the orders that were paid before their buyers' eyes: those that were neither sent nor cancelled, and those whose
/// money should have gone back in full and didn't.
///
/// # Errors
/// The database's.
pub async fn lost(client: &Client, seen: &Sightings, book: &Book) -> Result<usize, tokio_postgres::Error> {
    let rows = client
        .query("SELECT DISTINCT 'ord_' || replace(order_id::text, '-', '') FROM shipments", &[])
        .await?;
    let sent: HashSet<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let stays = |order: &&String| !sent.contains(*order) && !seen.cancelled.contains_key(*order);
    let unsent = seen.goods.keys().filter(stays).count();
    let repaid = |order: &String| {
        let mut paid = book.payments.iter().filter(|paid| paid.order_id.as_ref() == Some(order));
        paid.all(|paid| paid.refunded_minor == paid.amount_minor)
    };
    let went_back = seen.cancelled.keys().chain(seen.returned.keys());
    Ok(unsent + went_back.filter(|order| !repaid(order)).count())
}
