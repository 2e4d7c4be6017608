//! Coupons: what each campaign gave, and what it brought. Its own page has the same by day
//! (`promotion/campaigns/figures`).

use chrono::NaiveDate;
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Date, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::csv::{self, cell};
use super::rules::Span;
use crate::db::Conn;
use crate::error::Result;
use crate::types::money::Money;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CouponsQuery {
    /// A day, in the shop's zone; thirty days before `until` by default.
    #[param(example = "2014-09-01")]
    pub from: Option<NaiveDate>,
    /// Exclusive; tomorrow by default.
    #[param(example = "2014-10-01")]
    pub until: Option<NaiveDate>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    key: String,
    #[diesel(sql_type = BigInt)]
    issued: i64,
    #[diesel(sql_type = BigInt)]
    given: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    redeemed: i64,
    #[diesel(sql_type = BigInt)]
    released: i64,
    #[diesel(sql_type = BigInt)]
    discount_minor: i64,
    #[diesel(sql_type = BigInt)]
    orders: i64,
    #[diesel(sql_type = BigInt)]
    revenue_minor: i64,
}

/// A campaign in a span of days.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CampaignFigures {
    /// The campaign's code.
    pub key: String,
    /// Codes that were made in these days. Many that were ordered at once count on the day of the order.
    pub issued: i64,
    /// Of those, the ones that went into somebody's wallet: taken, won, or given by an operator.
    pub given: i64,
    /// Uses by orders of these days that wait for their payment.
    pub held: i64,
    /// Uses by such that were paid, whenever that was.
    pub redeemed: i64,
    /// Uses by such that ended unpaid, or were given back.
    pub released: i64,
    /// What the redeemed ones took off goods and shipping.
    pub discount: Money,
    /// Orders that redeemed one.
    pub orders: i64,
    /// What these came to, what went back of it included. An order that used two campaigns counts in both.
    pub revenue: Money,
}

/// What campaigns came to, from one day to another.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CouponsReport {
    pub from: NaiveDate,
    /// Exclusive.
    pub until: NaiveDate,
    /// In which days begin.
    #[schema(example = "Asia/Shanghai")]
    pub zone: String,
    /// Campaigns of which something happened, by code.
    pub data: Vec<CampaignFigures>,
}

/// From the moment `$1` until `$2`, which are the days from `$3` until `$4`. Codes of issues are counted where
/// they were made, not one by one. An order's revenue counts once a campaign, however many of its codes it
/// used.
const CAMPAIGNS: &str = "
    WITH made AS (
        SELECT campaign_id, sum(made) AS issued, 0 AS given FROM coupon_issues
        WHERE created_at >= $1 AND created_at < $2 GROUP BY campaign_id
        UNION ALL
        SELECT campaign_id, count(*), count(account_id) FROM coupons
        WHERE issue_id IS NULL AND created_at >= $1 AND created_at < $2 GROUP BY campaign_id
    ), used AS (
        SELECT u.campaign_id, o.total_minor,
               count(*) FILTER (WHERE u.released_at IS NULL AND o.state = 'pending_payment') AS held,
               count(*) FILTER (WHERE u.released_at IS NULL AND o.state <> 'pending_payment') AS redeemed,
               count(*) FILTER (WHERE u.released_at IS NOT NULL) AS released,
               sum(u.discount_minor + u.shipping_minor)
                   FILTER (WHERE u.released_at IS NULL AND o.state <> 'pending_payment') AS off_minor
        FROM coupon_uses u JOIN orders o ON o.id = u.order_id WHERE u.day >= $3 AND u.day < $4
        GROUP BY u.campaign_id, o.id
    ), happened AS (
        SELECT campaign_id, issued, given, 0 AS held, 0 AS redeemed, 0 AS released, 0 AS off_minor, 0 AS orders,
               0 AS revenue_minor FROM made
        UNION ALL
        SELECT campaign_id, 0, 0, held, redeemed, released, coalesce(off_minor, 0), (redeemed > 0)::integer,
               CASE WHEN redeemed > 0 THEN total_minor ELSE 0 END FROM used
    )
    SELECT c.code AS key, sum(h.issued)::bigint AS issued, sum(h.given)::bigint AS given,
           sum(h.held)::bigint AS held, sum(h.redeemed)::bigint AS redeemed,
           sum(h.released)::bigint AS released,
           sum(h.off_minor)::bigint AS discount_minor, sum(h.orders)::bigint AS orders,
           sum(h.revenue_minor)::bigint AS revenue_minor
    FROM happened h JOIN coupon_campaigns c ON c.id = h.campaign_id GROUP BY c.id ORDER BY c.code";

/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, span: Span, zone: Tz, currency: &str) -> Result<CouponsReport> {
    let (from, until) = span.moments(zone);
    let rows: Vec<Row> = diesel::sql_query(CAMPAIGNS)
        .bind::<Timestamptz, _>(from)
        .bind::<Timestamptz, _>(until)
        .bind::<Date, _>(span.from)
        .bind::<Date, _>(span.until)
        .load(conn)
        .await?;
    let figures = |row: Row| CampaignFigures {
        key: row.key,
        issued: row.issued,
        given: row.given,
        held: row.held,
        redeemed: row.redeemed,
        released: row.released,
        discount: Money::new(row.discount_minor, currency),
        orders: row.orders,
        revenue: Money::new(row.revenue_minor, currency),
    };
    let data = rows.into_iter().map(figures).collect();
    Ok(CouponsReport { from: span.from, until: span.until, zone: zone.name().to_owned(), data })
}

impl CouponsReport {
    /// One line a campaign. Amounts are minor units.
    pub fn csv(&self) -> String {
        let head =
            "campaign,issued,given,held,redeemed,released,discount_minor,orders,revenue_minor,currency";
        csv::lines(head, &self.data, |row| {
            let CampaignFigures { key, issued, given, held, redeemed, released, orders, discount, revenue } =
                row;
            let (discount, revenue, currency) = (discount.amount, revenue.amount, &revenue.currency);
            let key = cell(key);
            format!(
                "{key},{issued},{given},{held},{redeemed},{released},{discount},{orders},{revenue},{currency}"
            )
        })
    }
}
