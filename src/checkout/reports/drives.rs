//! Drives: their places, and what they brought.

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde::Serialize;

use super::csv::{self, cell};
use crate::db::Conn;
use crate::error::Result;
use crate::types::money::Money;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = Text)]
    series: String,
    #[diesel(sql_type = Text)]
    plan: String,
    #[diesel(sql_type = Text)]
    tier: String,
    #[diesel(sql_type = Timestamptz)]
    opens_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    closes_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    quota: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    taken: i64,
    #[diesel(sql_type = BigInt)]
    orders: i64,
    #[diesel(sql_type = BigInt)]
    revenue_minor: i64,
    #[diesel(sql_type = BigInt)]
    refunds_minor: i64,
}

/// What a drive came to until now.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct DriveFigures {
    pub code: String,
    /// Drives of one series give one place a person.
    pub series: String,
    /// The code of the plan that it sells.
    pub plan: String,
    /// The code of the plan's tier.
    pub tier: String,
    pub opens_at: DateTime<Utc>,
    /// Exclusive.
    pub closes_at: DateTime<Utc>,
    /// Places.
    pub quota: i64,
    /// Of those, the ones that orders hold which aren't paid yet.
    pub held: i64,
    /// Those that are paid. A refund may have given one back: there may be more `orders`.
    pub taken: i64,
    /// Orders of it that were paid, refunded ones too.
    pub orders: i64,
    /// What was paid for it, by points and store credit too; not what else was in those orders.
    pub revenue: Money,
    /// What of that went back. It isn't taken off the revenue.
    pub refunds: Money,
}

/// Drives, archived ones too, the first to open first.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct DrivesReport {
    pub at: DateTime<Utc>,
    pub data: Vec<DriveFigures>,
}

/// Refunds count as in the report of sales: neither such as failed nor a capture that was sent back.
const DRIVES: &str = "
    WITH lines AS (
        SELECT l.id, l.drive_id, l.order_id, l.total_minor FROM order_lines l JOIN orders o ON o.id = l.order_id
        WHERE l.drive_id IS NOT NULL AND o.paid_at IS NOT NULL
    ), sold AS (
        SELECT drive_id, count(DISTINCT order_id) AS orders, sum(total_minor)::bigint AS revenue_minor
        FROM lines GROUP BY drive_id
    ), back AS (
        SELECT l.drive_id, sum(r.amount_minor)::bigint AS refunds_minor
        FROM lines l JOIN refund_lines r ON r.line_id = l.id JOIN refunds f ON f.id = r.refund_id
        LEFT JOIN payments y ON y.id = f.payment_id
        WHERE f.state <> 'failed' AND y.sent_back IS NOT TRUE GROUP BY l.drive_id
    )
    SELECT d.code, d.series, p.code AS plan, t.code AS tier, d.opens_at, d.closes_at,
           q.capacity AS quota, q.held, q.taken, coalesce(s.orders, 0) AS orders,
           coalesce(s.revenue_minor, 0) AS revenue_minor, coalesce(b.refunds_minor, 0) AS refunds_minor
    FROM drives d JOIN pools q ON q.id = d.pool_id
    JOIN plans p ON p.id = d.plan_id JOIN tiers t ON t.id = p.tier_id
    LEFT JOIN sold s ON s.drive_id = d.id LEFT JOIN back b ON b.drive_id = d.id
    ORDER BY d.opens_at, d.code";

/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, currency: &str, now: DateTime<Utc>) -> Result<DrivesReport> {
    let rows: Vec<Row> = diesel::sql_query(DRIVES).load(conn).await?;
    let figures = |row: Row| DriveFigures {
        code: row.code,
        series: row.series,
        plan: row.plan,
        tier: row.tier,
        opens_at: row.opens_at,
        closes_at: row.closes_at,
        quota: row.quota,
        held: row.held,
        taken: row.taken,
        orders: row.orders,
        revenue: Money::new(row.revenue_minor, currency),
        refunds: Money::new(row.refunds_minor, currency),
    };
    Ok(DrivesReport { at: now, data: rows.into_iter().map(figures).collect() })
}

const HEAD: &str = "drive,series,plan,tier,opens_at,closes_at,quota,held,taken,orders,revenue_minor,\
    refunds_minor,currency";

impl DrivesReport {
    /// One line a drive. Amounts are minor units, times are UTC.
    pub fn csv(&self) -> String {
        csv::lines(HEAD, &self.data, |row| {
            let names = [&row.code, &row.series, &row.plan, &row.tier].map(|name| cell(name)).join(",");
            let [opens, closes] =
                [row.opens_at, row.closes_at].map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
            let DriveFigures { quota, held, taken, orders, .. } = row;
            let (revenue, refunds, currency) =
                (row.revenue.amount, row.refunds.amount, &row.revenue.currency);
            format!("{names},{opens},{closes},{quota},{held},{taken},{orders},{revenue},{refunds},{currency}")
        })
    }
}
