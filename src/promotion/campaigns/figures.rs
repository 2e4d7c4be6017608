//! What a campaign came to, summed up from its codes, its uses and their orders.

use chrono::NaiveDate;
use diesel::prelude::QueryableByName;
use diesel::sql_types::{BigInt, Date, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::dto::{DayView, FiguresView};
use super::model::{Campaign, UNLIMITED};
use crate::checkout::claims;
use crate::db::Conn;
use crate::error::Result;
use crate::types::money::Money;

#[derive(QueryableByName)]
struct Day {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    redeemed: i64,
    #[diesel(sql_type = BigInt)]
    released: i64,
    #[diesel(sql_type = BigInt)]
    discount_minor: i64,
    #[diesel(sql_type = BigInt)]
    revenue_minor: i64,
}

#[derive(QueryableByName)]
struct Codes {
    #[diesel(sql_type = BigInt)]
    issued: i64,
    #[diesel(sql_type = BigInt)]
    given: i64,
}

/// Days with uses from `from` on. An order's revenue counts once a campaign, however many of its codes it used.
const DAYS: &str = "
    WITH used AS (
        SELECT u.day, u.order_id, u.released_at, u.discount_minor + u.shipping_minor AS off, o.state, o.total_minor,
               row_number() OVER (PARTITION BY u.order_id ORDER BY u.id) AS n
        FROM coupon_uses u JOIN orders o ON o.id = u.order_id WHERE u.campaign_id = $1)
    SELECT day,
           count(*) FILTER (WHERE released_at IS NULL AND state = 'pending_payment') AS held,
           count(*) FILTER (WHERE released_at IS NULL AND state <> 'pending_payment') AS redeemed,
           count(*) FILTER (WHERE released_at IS NOT NULL) AS released,
           coalesce(sum(off) FILTER (WHERE released_at IS NULL AND state <> 'pending_payment'), 0)::bigint
               AS discount_minor,
           coalesce(sum(total_minor) FILTER (WHERE released_at IS NULL AND state <> 'pending_payment' AND n = 1), 0)::bigint
               AS revenue_minor
    FROM used GROUP BY day ORDER BY day DESC";

/// Codes of issues are counted where they were made, not one by one.
const CODES: &str = "
    SELECT (coalesce((SELECT sum(made) FROM coupon_issues WHERE campaign_id = $1), 0)
            + (SELECT count(*) FROM coupons WHERE campaign_id = $1 AND issue_id IS NULL))::bigint AS issued,
           (SELECT count(*) FROM coupons WHERE campaign_id = $1 AND issue_id IS NULL AND account_id IS NOT NULL) AS given";

/// # Errors
/// The database's.
pub async fn of(conn: &mut Conn, campaign: &Campaign, currency: &str) -> Result<FiguresView> {
    let days: Vec<Day> = diesel::sql_query(DAYS).bind::<SqlUuid, _>(campaign.id).load(conn).await?;
    let codes: Codes = diesel::sql_query(CODES).bind::<SqlUuid, _>(campaign.id).get_result(conn).await?;
    let pools: Vec<_> = campaign.budget_pool.into_iter().collect();
    let budget = claims::read(conn, &pools).await?.pop().map(|pool| pool.capacity);
    let money = |minor| Money::new(minor, currency);
    let sum = |of: fn(&Day) -> i64| days.iter().map(of).sum::<i64>();
    Ok(FiguresView {
        issued: codes.issued,
        given: codes.given,
        held: sum(|day| day.held),
        redeemed: sum(|day| day.redeemed),
        released: sum(|day| day.released),
        discount: money(sum(|day| day.discount_minor)),
        revenue: money(sum(|day| day.revenue_minor)),
        budget: budget.filter(|capacity| *capacity < UNLIMITED).map(money),
        days: days
            .into_iter()
            .map(|day| DayView {
                day: day.day,
                held: day.held,
                redeemed: day.redeemed,
                released: day.released,
                discount: money(day.discount_minor),
                revenue: money(day.revenue_minor),
            })
            .collect(),
    })
}
