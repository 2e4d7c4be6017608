//! Points: what the ledger moved, day by day or month by month, and what the shop owes its members in points
//! now.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::csv;
use super::rules::{self, Span};
use crate::db::Conn;
use crate::error::Result;
use crate::loyalty::points::programme;
use crate::types::money::Money;

/// What a row of the report is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PointsBy {
    /// Days of the shop's zone, as `2014-09-01`.
    #[default]
    Day,
    /// Months of it, as `2014-09`.
    Month,
}

impl PointsBy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PointsQuery {
    /// A day, in the shop's zone; by month, one of the first month. Thirty days before `until`, or eleven
    /// months before the last one, by default.
    #[param(example = "2014-09-01")]
    pub from: Option<NaiveDate>,
    /// Exclusive; tomorrow by default. By month, the day after one of the last month.
    #[param(example = "2014-10-01")]
    pub until: Option<NaiveDate>,
    #[serde(default)]
    #[param(inline)]
    pub by: PointsBy,
}

/// What became of points in a day or month. What is outstanding, pending and active together, changes by what
/// was earned and returned, less what was spent, expired and reversed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, QueryableByName, utoipa::ToSchema)]
pub struct PointsFigures {
    /// The day or month; in `totals` it is `total`.
    #[schema(example = "2014-09-01")]
    #[diesel(sql_type = Text)]
    pub key: String,
    /// Those that can't be spent yet too.
    #[diesel(sql_type = BigInt)]
    pub earned: i64,
    /// Of what was earned: it can be spent from then on.
    #[diesel(sql_type = BigInt)]
    pub matured: i64,
    /// On orders and give-outs, or taken by an operator; and what has paid for points that were owed.
    #[diesel(sql_type = BigInt)]
    pub spent: i64,
    /// What was spent, and came back with a refund or an order that ended unpaid.
    #[diesel(sql_type = BigInt)]
    pub returned: i64,
    #[diesel(sql_type = BigInt)]
    pub expired: i64,
    /// Taken back with what had earned them, less what was restored since that refund failed: it may be below
    /// nothing.
    #[diesel(sql_type = BigInt)]
    pub reversed: i64,
}

/// How the shop stands with its members now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PointsOutstanding {
    /// Those that can be spent; what has expired and isn't written off yet is none of them.
    pub active: i64,
    /// Earned by what may still be sent back.
    pub pending: i64,
    /// Points that members owe: taken back after they were spent.
    pub owed: i64,
    /// What the active ones would pay, rounded down; null where points can't pay. Pending ones are no part of
    /// it, and what is owed isn't taken off.
    pub liability: Option<Money>,
}

/// Points, by day or month.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PointsReport {
    /// By month the first day of one: months are told whole.
    pub from: NaiveDate,
    /// Exclusive.
    pub until: NaiveDate,
    /// In which days begin.
    #[schema(example = "Asia/Shanghai")]
    pub zone: String,
    pub by: PointsBy,
    /// Days or months in which something happened.
    pub data: Vec<PointsFigures>,
    pub totals: PointsFigures,
    pub outstanding: PointsOutstanding,
}

macro_rules! moved {
    ($format:literal) => {
        concat!(
            "SELECT to_char(created_at AT TIME ZONE $3, '",
            $format,
            "') AS key,
                 coalesce(sum(pending + active) FILTER (WHERE kind = 'earned'), 0)::bigint AS earned,
                 coalesce(sum(active) FILTER (WHERE kind = 'matured'), 0)::bigint AS matured,
                 coalesce(-sum(active) FILTER (WHERE kind IN ('spent', 'settled')), 0)::bigint AS spent,
                 coalesce(sum(active) FILTER (WHERE kind = 'returned'), 0)::bigint AS returned,
                 coalesce(-sum(active) FILTER (WHERE kind = 'expired'), 0)::bigint AS expired,
                 coalesce(-sum(pending + active) FILTER (WHERE kind IN ('reversed', 'restored')), 0)::bigint
                     AS reversed
             FROM points_entries WHERE created_at >= $1 AND created_at < $2 GROUP BY 1 ORDER BY 1"
        )
    };
}

/// Entries from `$1` until `$2` in the zone `$3`. What was reversed after it had expired was gone before: it is
/// no part of either.
fn statement(by: PointsBy) -> &'static str {
    match by {
        PointsBy::Day => moved!("YYYY-MM-DD"),
        PointsBy::Month => moved!("YYYY-MM"),
    }
}

#[derive(QueryableByName)]
struct Standing {
    #[diesel(sql_type = BigInt)]
    active: i64,
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    owed: i64,
}

/// At `$1`.
const OUTSTANDING: &str = "
    SELECT coalesce(sum(pending), 0)::bigint AS pending, coalesce(sum(owed), 0)::bigint AS owed,
           (SELECT coalesce(sum(active), 0)::bigint FROM points_lots
            WHERE active > 0 AND (expires_at IS NULL OR expires_at > $1)) AS active
    FROM points_balances";

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub by: PointsBy,
    pub span: Span,
    pub zone: Tz,
    pub now: DateTime<Utc>,
}

/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, asked: Asked, currency: &str) -> Result<PointsReport> {
    let Asked { by, span, zone, now } = asked;
    let (from, until) = span.moments(zone);
    let data: Vec<PointsFigures> = diesel::sql_query(statement(by))
        .bind::<Timestamptz, _>(from)
        .bind::<Timestamptz, _>(until)
        .bind::<Text, _>(zone.name())
        .load(conn)
        .await?;
    let Standing { active, pending, owed } =
        diesel::sql_query(OUTSTANDING).bind::<Timestamptz, _>(now).get_result(conn).await?;
    let programme = programme::load(conn).await?;
    let exchange = programme.exchange.filter(|_| programme.is_on);
    let liability = exchange.map(|by| Money::new(rules::liability_minor(active, &by), currency));
    Ok(PointsReport {
        from: span.from,
        until: span.until,
        zone: zone.name().to_owned(),
        by,
        totals: total(&data),
        data,
        outstanding: PointsOutstanding { active, pending, owed, liability },
    })
}

fn total(data: &[PointsFigures]) -> PointsFigures {
    let mut totals = PointsFigures { key: "total".to_owned(), ..PointsFigures::default() };
    for row in data {
        totals.earned += row.earned;
        totals.matured += row.matured;
        totals.spent += row.spent;
        totals.returned += row.returned;
        totals.expired += row.expired;
        totals.reversed += row.reversed;
    }
    totals
}

impl PointsReport {
    /// One line a row.
    pub fn csv(&self) -> String {
        let head = format!("{},earned,matured,spent,returned,expired,reversed", self.by.as_str());
        csv::lines(&head, &self.data, |row| {
            let PointsFigures { key, earned, matured, spent, returned, expired, reversed } = row;
            format!("{key},{earned},{matured},{spent},{returned},{expired},{reversed}")
        })
    }
}
