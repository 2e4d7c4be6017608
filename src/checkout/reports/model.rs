//! What was sold, summed up from orders, refunds and channels' reports.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::dto::By;
use crate::db::Conn;
use crate::error::Result;

/// A row of a report; amounts in minor units of the shop's currency.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Row {
    #[diesel(sql_type = Text)]
    pub key: String,
    #[diesel(sql_type = BigInt)]
    pub units: i64,
    #[diesel(sql_type = BigInt)]
    pub orders: i64,
    #[diesel(sql_type = BigInt)]
    pub revenue_minor: i64,
    #[diesel(sql_type = BigInt)]
    pub refunds_minor: i64,
}

impl Row {
    /// Where nothing was sold.
    pub fn nothing(key: &str) -> Self {
        Self { key: key.to_owned(), units: 0, orders: 0, revenue_minor: 0, refunds_minor: 0 }
    }
}

/// Entries from `$1` until `$2`: what was sold and what went back, each at its time, in its channel, of its article. Lines and
/// shipping of an order add up to its total, parts of a refund to its amount. A capture that was sent back was never a
/// sale. Orders are the own mall's.
macro_rules! entries {
    () => {
        "WITH own AS (SELECT code FROM channels WHERE is_own), entries AS (
             SELECT o.paid_at AS at, (SELECT code FROM own) AS channel, coalesce(v.sku, p.code) AS sku,
                    l.quantity AS units, o.id AS sale, l.total_minor AS revenue, 0::bigint AS refunds
             FROM orders o JOIN order_lines l ON l.order_id = o.id
             LEFT JOIN variants v ON v.id = l.variant_id LEFT JOIN plans p ON p.id = l.plan_id
             WHERE o.paid_at >= $1 AND o.paid_at < $2 AND l.kind <> 'gift_card'
             UNION ALL
             SELECT o.paid_at, (SELECT code FROM own), 'shipping', 0, o.id, o.shipping_minor, 0
             FROM orders o WHERE o.paid_at >= $1 AND o.paid_at < $2 AND o.shipping_minor > 0
             UNION ALL
             SELECT f.created_at, (SELECT code FROM own), coalesce(v.sku, p.code), 0, NULL, 0, r.amount_minor
             FROM refunds f LEFT JOIN payments y ON y.id = f.payment_id
             JOIN refund_lines r ON r.refund_id = f.id JOIN order_lines l ON l.id = r.line_id
             LEFT JOIN variants v ON v.id = l.variant_id LEFT JOIN plans p ON p.id = l.plan_id
             WHERE f.created_at >= $1 AND f.created_at < $2 AND f.state <> 'failed' AND y.sent_back IS NOT TRUE
                   AND l.kind <> 'gift_card'
             UNION ALL
             SELECT f.created_at, (SELECT code FROM own), 'shipping', 0, NULL, 0, f.shipping_minor
             FROM refunds f LEFT JOIN payments y ON y.id = f.payment_id
             WHERE f.created_at >= $1 AND f.created_at < $2 AND f.state <> 'failed' AND y.sent_back IS NOT TRUE AND f.shipping_minor > 0
             UNION ALL
             SELECT s.sold_at, c.code, v.sku, l.quantity, CASE WHEN s.reverses IS NULL THEN s.id END,
                    greatest(l.amount_minor, 0), greatest(-l.amount_minor, 0)
             FROM channel_sales s JOIN channels c ON c.id = s.channel_id
             JOIN channel_sale_lines l ON l.sale_id = s.id JOIN variants v ON v.id = l.variant_id
             WHERE s.sold_at >= $1 AND s.sold_at < $2
         ), dated AS (SELECT *, to_char(at AT TIME ZONE $3, 'YYYY-MM-DD') AS day FROM entries) "
    };
}

macro_rules! summed {
    ($key:literal, $tail:literal) => {
        concat!(
            entries!(),
            "SELECT ",
            $key,
            " AS key, coalesce(sum(units), 0)::bigint AS units, count(DISTINCT sale) AS orders,
              coalesce(sum(revenue), 0)::bigint AS revenue_minor, coalesce(sum(refunds), 0)::bigint AS refunds_minor
              FROM dated",
            $tail
        )
    };
}

/// A report by something, in ascending order of its keys; none: all of it in one row, in which an order of two days' or two
/// articles' rows counts once. Takes the first moment, the end and the zone of days.
pub fn statement(by: Option<By>) -> &'static str {
    match by {
        Some(By::Day) => summed!("day", " GROUP BY 1 ORDER BY 1"),
        Some(By::Channel) => summed!("channel", " GROUP BY 1 ORDER BY 1"),
        Some(By::Sku) => summed!("sku", " GROUP BY 1 ORDER BY 1"),
        None => summed!("'total'", ""),
    }
}

/// # Errors
/// The database's.
pub async fn sales(
    conn: &mut Conn,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    zone: &str,
    by: Option<By>,
) -> Result<Vec<Row>> {
    Ok(diesel::sql_query(statement(by))
        .bind::<Timestamptz, _>(from)
        .bind::<Timestamptz, _>(until)
        .bind::<Text, _>(zone)
        .load(conn)
        .await?)
}
