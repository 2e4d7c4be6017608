//! Retention: of those who began in one month, how many were still members a month, a year, two years later.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Date, Integer, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::csv;
use super::rules::Span;
use super::{GRACE_SECONDS, lives};
use crate::db::Conn;
use crate::error::Result;

/// The steps in which a cohort is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
pub enum RetentionEvery {
    /// Each month, up to 24.
    #[serde(rename = "P1M")]
    Month,
    /// Each year, up to 10.
    #[default]
    #[serde(rename = "P1Y")]
    Year,
}

impl RetentionEvery {
    fn months(self) -> i32 {
        match self {
            Self::Month => 1,
            Self::Year => 12,
        }
    }

    fn offset_max(self) -> i32 {
        match self {
            Self::Month => 24,
            Self::Year => 10,
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RetentionQuery {
    /// A day of the first cohort's month; 59 months before the last one by default.
    #[param(example = "2013-12-01")]
    pub from: Option<NaiveDate>,
    /// Exclusive: the day after one of the last cohort's month; tomorrow by default.
    #[param(example = "2015-01-01")]
    pub until: Option<NaiveDate>,
    #[serde(default)]
    #[param(inline)]
    pub every: RetentionEvery,
}

/// A cohort at one of its anniversaries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, QueryableByName, utoipa::ToSchema)]
pub struct RetentionFigures {
    /// The month, in the shop's zone, in which their first membership began. What began with a trial begins
    /// with the term after it: who only tried is in no cohort. Associates are in none: they pay nothing, and go
    /// when their head goes.
    #[schema(example = "2013-12")]
    #[diesel(sql_type = Text)]
    pub cohort: String,
    /// How many they are.
    #[diesel(sql_type = BigInt)]
    pub size: i64,
    /// So many of `every` later.
    #[schema(example = 1)]
    #[diesel(sql_type = Integer)]
    pub offset: i32,
    /// Who was a member then: each on the day so much later than his own start, when the days of grace after it
    /// are over too, so that who renews late is kept and who doesn't renew isn't. Who left and came back counts
    /// where he was back. A frozen membership counts: it goes on.
    #[diesel(sql_type = BigInt)]
    pub kept: i64,
}

/// Who stayed, cohort by cohort.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct RetentionReport {
    /// The first day of a month: cohorts are told whole.
    pub from: NaiveDate,
    /// Exclusive.
    pub until: NaiveDate,
    /// In which months begin.
    #[schema(example = "Asia/Shanghai")]
    pub zone: String,
    pub every: RetentionEvery,
    /// By cohort and offset; an offset is there once everybody of the cohort has come to it. Months in which
    /// nobody began aren't.
    pub data: Vec<RetentionFigures>,
}

/// Cohorts from `$4` until `$5` in the zone `$3`, as of `$1`, each `$6` months up to `$7` times. Seats are left
/// out, and an account has one membership of its own at a time: it is met at most once at a moment. What people
/// held is put together first, since there are many more looks at it.
const COHORTS: &str = concat!(
    lives!(),
    ", begun AS (
         SELECT membership_id, min(starts_at) AS at FROM membership_terms
         WHERE source <> 'trial' AND (ended_at IS NULL OR ended_at > starts_at) GROUP BY membership_id
     ), own AS (
         SELECT l.account_id, b.at AS came_at, l.gone_at FROM lives l JOIN begun b ON b.membership_id = l.id
     ), firsts AS (
         SELECT account_id, min(came_at) AT TIME ZONE $3 AS came FROM own
         GROUP BY account_id HAVING min(came_at) <= $1
     ), cohorts AS (
         SELECT account_id, came, date_trunc('month', came) AS cohort FROM firsts WHERE came >= $4 AND came < $5
     ), sizes AS (
         SELECT cohort, count(*) AS size FROM cohorts GROUP BY cohort
     ), looks AS (
         SELECT s.cohort, s.size, n.nth, n.nth * $6 * interval '1 month' AS later,
                least(n.nth, 1) * $2 * interval '1 second' AS grace
         FROM sizes s CROSS JOIN generate_series(0, $7) AS n (nth)
         WHERE n.nth = 0 OR (s.cohort + (n.nth * $6 + 1) * interval '1 month') AT TIME ZONE $3
                            + $2 * interval '1 second' <= $1
     ), held AS MATERIALIZED (
         SELECT c.cohort, c.came, o.came_at, o.gone_at FROM cohorts c JOIN own o ON o.account_id = c.account_id
     ), seen AS (
         SELECT k.cohort, k.nth, h.came_at, h.gone_at, (h.came + k.later) AT TIME ZONE $3 + k.grace AS at
         FROM looks k JOIN held h ON h.cohort = k.cohort
     ), kept AS (
         SELECT cohort, nth, count(*) AS kept FROM seen
         WHERE at >= came_at AND at < gone_at GROUP BY cohort, nth
     )
     SELECT to_char(k.cohort, 'YYYY-MM') AS cohort, k.size, k.nth AS \"offset\", coalesce(s.kept, 0) AS kept
     FROM looks k LEFT JOIN kept s ON s.cohort = k.cohort AND s.nth = k.nth ORDER BY k.cohort, k.nth"
);

/// # Errors
/// The database's.
pub async fn load(
    conn: &mut Conn,
    span: Span,
    every: RetentionEvery,
    (zone, now): (&str, DateTime<Utc>),
) -> Result<RetentionReport> {
    let data = diesel::sql_query(COHORTS)
        .bind::<Timestamptz, _>(now)
        .bind::<BigInt, _>(GRACE_SECONDS)
        .bind::<Text, _>(zone)
        .bind::<Date, _>(span.from)
        .bind::<Date, _>(span.until)
        .bind::<Integer, _>(every.months())
        .bind::<Integer, _>(every.offset_max())
        .load(conn)
        .await?;
    Ok(RetentionReport { from: span.from, until: span.until, zone: zone.to_owned(), every, data })
}

impl RetentionReport {
    /// One line a row.
    pub fn csv(&self) -> String {
        csv::lines("cohort,size,offset,kept", &self.data, |row| {
            let RetentionFigures { cohort, size, offset, kept } = row;
            format!("{cohort},{size},{offset},{kept}")
        })
    }
}
