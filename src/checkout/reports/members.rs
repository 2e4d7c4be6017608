//! Members: how many there are now, by what they are, and month by month who came and who left.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Date, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::csv::{self, cell};
use super::rules::Span;
use super::{GRACE_SECONDS, lives};
use crate::db::Conn;
use crate::error::Result;

/// What a row of the report is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MembersBy {
    /// Codes of tiers, the lowest first. An associate counts in the tier that his seat gives.
    #[default]
    Tier,
    /// Codes of levels, the lowest first, then `none`: the highest of what somebody has earned, what an
    /// operator gave him and the floor of his tier.
    Level,
    /// Codes of stages, the lowest first, then `none`: as they were last judged.
    Stage,
    /// Codes of chapters. An associate counts in his head's.
    Chapter,
    /// Months of the shop's zone, as `2014-09`.
    Month,
}

impl MembersBy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tier => "tier",
            Self::Level => "level",
            Self::Stage => "stage",
            Self::Chapter => "chapter",
            Self::Month => "month",
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MembersQuery {
    /// By month only: a day of the first month; eleven months before the last one by default.
    #[param(example = "2014-01-01")]
    pub from: Option<NaiveDate>,
    /// By month only, and exclusive: the day after one of the last month; tomorrow by default.
    #[param(example = "2015-01-01")]
    pub until: Option<NaiveDate>,
    #[serde(default)]
    #[param(inline)]
    pub by: MembersBy,
}

/// People who are one thing now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, QueryableByName, utoipa::ToSchema)]
pub struct MembersGroup {
    /// The code; `none` of who stands on no level or stage; in `totals` it is `total`.
    #[diesel(sql_type = Text)]
    pub key: String,
    /// Who has access by a membership now, his own or the one that he is an associate of; in the days of grace
    /// after its end too.
    #[diesel(sql_type = BigInt)]
    pub members: i64,
    /// Whose membership rests or is suspended: it gives no access now, and goes on later.
    #[diesel(sql_type = BigInt)]
    pub frozen: i64,
    /// By level and stage: who is neither, and has paid an order or stands on one. Guests aren't counted:
    /// nobody knows how many people they are. Null by tier and chapter.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub customers: Option<i64>,
}

/// Members of now, by what they are.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MembersNow {
    pub at: DateTime<Utc>,
    pub by: MembersBy,
    /// Archived ones only where somebody is left on them.
    pub data: Vec<MembersGroup>,
    pub totals: MembersGroup,
}

/// Who came and who left in a month. Somebody is a member from the start of a membership, his own or one that
/// he takes a seat of, until it gives no more access: at the end of its grace, or when it was closed before.
/// While it is frozen he stays one. Where one follows the other without a day between them, such as of another
/// tier, he has neither left nor come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, QueryableByName, utoipa::ToSchema)]
pub struct MembersMonth {
    /// The month; in `totals` it is `total`.
    #[schema(example = "2014-09")]
    #[diesel(sql_type = Text)]
    pub key: String,
    /// Who had never been a member. Trials and what operators give count.
    #[diesel(sql_type = BigInt)]
    pub joined: i64,
    /// Who had been one before.
    #[diesel(sql_type = BigInt)]
    pub returned: i64,
    /// Who is no longer one.
    #[diesel(sql_type = BigInt)]
    pub ended: i64,
    /// At the end of the month, or now: those of the month before, and who joined and returned, less who ended.
    /// The `members` and `frozen` of now together.
    #[diesel(sql_type = BigInt)]
    pub members_at_end: i64,
}

/// Members by month.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MembersByMonth {
    /// The first day of a month: months are told whole.
    pub from: NaiveDate,
    /// Exclusive.
    pub until: NaiveDate,
    /// In which months begin.
    #[schema(example = "Asia/Shanghai")]
    pub zone: String,
    pub by: MembersBy,
    /// Each month that has begun.
    pub data: Vec<MembersMonth>,
    /// Of all months; `members_at_end` is the last one's.
    pub totals: MembersMonth,
}

/// Members: of now, or by month.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum MembersReport {
    Now(MembersNow),
    ByMonth(MembersByMonth),
}

/// Open memberships and seats at `$1`, with a grace of `$2` seconds: each account at most once.
macro_rules! here {
    () => {
        "WITH here AS (
             SELECT s.account_id, s.tier_id, s.chapter_id, t.floor_level_id, s.state = 'frozen' AS is_frozen
             FROM standings s JOIN tiers t ON t.id = s.tier_id
             WHERE s.state = 'frozen' OR s.ends_at IS NULL OR s.ends_at > $1 - $2 * interval '1 second') "
    };
}

/// Members by a column that each of them has.
macro_rules! by_column {
    ($table:literal, $column:literal, $order:literal) => {
        concat!(
            here!(),
            "SELECT g.code AS key, count(h.account_id) FILTER (WHERE NOT h.is_frozen) AS members,
                    count(h.account_id) FILTER (WHERE h.is_frozen) AS frozen, NULL::bigint AS customers
             FROM ",
            $table,
            " g LEFT JOIN here h ON h.",
            $column,
            " = g.id
             GROUP BY g.id HAVING g.archived_at IS NULL OR count(h.account_id) > 0 ORDER BY ",
            $order
        )
    };
}

/// Members and customers by the step of a ladder on which they stand (`stood`: account_id, id), once each.
macro_rules! by_step {
    ($table:literal, $stood:literal) => {
        concat!(
            here!(),
            $stood,
            ", known AS (
                 SELECT account_id FROM here UNION SELECT account_id FROM stood
                 UNION SELECT account_id FROM orders WHERE paid_at IS NOT NULL
             ), counted AS (
                 SELECT s.id, count(*) FILTER (WHERE NOT h.is_frozen) AS members,
                        count(*) FILTER (WHERE h.is_frozen) AS frozen,
                        count(*) FILTER (WHERE h.account_id IS NULL) AS customers
                 FROM known k JOIN accounts a ON a.id = k.account_id AND NOT a.is_guest AND a.erased_at IS NULL
                 LEFT JOIN stood s ON s.account_id = k.account_id
                 LEFT JOIN here h ON h.account_id = k.account_id
                 GROUP BY s.id
             ), steps AS (
                 SELECT id, code, rank, archived_at FROM ",
            $table,
            " UNION ALL SELECT NULL, 'none', NULL, NULL)
             SELECT g.code AS key, coalesce(c.members, 0) AS members, coalesce(c.frozen, 0) AS frozen,
                    coalesce(c.customers, 0) AS customers
             FROM steps g LEFT JOIN counted c ON c.id IS NOT DISTINCT FROM g.id
             WHERE g.archived_at IS NULL OR c.id IS NOT NULL ORDER BY g.rank NULLS LAST, g.code"
        )
    };
}

/// People of `$1` by what they are, with a grace of `$2` seconds; none by month.
fn of_now(by: MembersBy) -> Option<&'static str> {
    match by {
        MembersBy::Tier => Some(by_column!("tiers", "tier_id", "g.rank, g.code")),
        MembersBy::Chapter => Some(by_column!("chapters", "chapter_id", "g.code")),
        // The same three as `loyalty/levels` goes by.
        MembersBy::Level => Some(by_step!(
            "levels",
            ", held AS (
                 SELECT account_id, level_id FROM account_levels WHERE level_id IS NOT NULL
                 UNION ALL
                 SELECT account_id, manual_level_id FROM account_levels
                 WHERE manual_level_id IS NOT NULL AND (manual_until IS NULL OR manual_until > $1)
                 UNION ALL
                 SELECT account_id, floor_level_id FROM here WHERE NOT is_frozen AND floor_level_id IS NOT NULL
             ), stood AS (
                 SELECT DISTINCT ON (h.account_id) h.account_id, l.id
                 FROM held h JOIN levels l ON l.id = h.level_id ORDER BY h.account_id, l.rank DESC, l.id)"
        )),
        MembersBy::Stage => Some(by_step!(
            "stages",
            ", stood AS (SELECT account_id, stage_id AS id FROM account_stages WHERE stage_id IS NOT NULL)"
        )),
        MembersBy::Month => None,
    }
}

/// Months from `$4` until `$5` in the zone `$3`, as of `$1`. Memberships and seats of an account that touch are
/// one stay; a month's members are the sum of all that came and left until its end, so that no month counts
/// them anew.
const BY_MONTH: &str = concat!(
    lives!(),
    ", spans AS (
         SELECT account_id, came_at, gone_at FROM lives
         UNION ALL
         SELECT a.account_id, a.accepted_at, greatest(a.accepted_at, least(a.ended_at, l.gone_at))
         FROM associates a JOIN lives l ON l.id = a.membership_id WHERE a.accepted_at IS NOT NULL
     ), marked AS (
         SELECT *, coalesce(came_at > max(gone_at) OVER (
             PARTITION BY account_id ORDER BY came_at, gone_at
             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS is_new
         FROM spans
     ), counted AS (
         SELECT *, sum(is_new::integer) OVER (PARTITION BY account_id ORDER BY came_at, gone_at) AS nth
         FROM marked
     ), stays AS (
         SELECT nth, min(came_at) AS came_at, max(gone_at) AS gone_at FROM counted GROUP BY account_id, nth
     ), moves AS (
         SELECT came_at AS at, (nth = 1)::integer AS joined, (nth > 1)::integer AS returned, 0 AS ended
         FROM stays WHERE came_at <= $1
         UNION ALL
         SELECT gone_at, 0, 0, 1 FROM stays WHERE gone_at <= $1
     ), dated AS (
         SELECT date_trunc('month', at AT TIME ZONE $3)::date AS month, joined, returned, ended FROM moves
         UNION ALL
         SELECT month::date, 0, 0, 0
         FROM generate_series($4::timestamp, least($5 - 1, ($1 AT TIME ZONE $3)::date), '1 month') AS month
     ), months AS (
         SELECT month, sum(joined) AS joined, sum(returned) AS returned, sum(ended) AS ended
         FROM dated WHERE month < $5 GROUP BY month
     ), running AS (
         SELECT *, sum(joined + returned - ended) OVER (ORDER BY month) AS members_at_end FROM months
     )
     SELECT to_char(month, 'YYYY-MM') AS key, joined, returned, ended, members_at_end::bigint AS members_at_end
     FROM running WHERE month >= $4 ORDER BY month"
);

/// What is asked for: people of now, or months.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub by: MembersBy,
    /// Whole months; it says nothing where the report is of now.
    pub span: Span,
    pub zone: &'a str,
    pub now: DateTime<Utc>,
}

/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, asked: Asked<'_>) -> Result<MembersReport> {
    let Asked { by, span, zone, now } = asked;
    let Some(sql) = of_now(by) else {
        let data = diesel::sql_query(BY_MONTH)
            .bind::<Timestamptz, _>(now)
            .bind::<BigInt, _>(GRACE_SECONDS)
            .bind::<Text, _>(zone)
            .bind::<Date, _>(span.from)
            .bind::<Date, _>(span.until)
            .load(conn)
            .await?;
        return Ok(MembersReport::ByMonth(MembersByMonth::new(span, zone, data)));
    };
    let data = diesel::sql_query(sql).bind::<Timestamptz, _>(now).bind::<BigInt, _>(GRACE_SECONDS).load(conn);
    Ok(MembersReport::Now(MembersNow::new(now, by, data.await?)))
}

impl MembersNow {
    fn new(at: DateTime<Utc>, by: MembersBy, data: Vec<MembersGroup>) -> Self {
        let mut totals = MembersGroup { key: "total".to_owned(), ..MembersGroup::default() };
        for group in &data {
            totals.members += group.members;
            totals.frozen += group.frozen;
            totals.customers = group.customers.map(|customers| customers + totals.customers.unwrap_or(0));
        }
        Self { at, by, data, totals }
    }
}

impl MembersByMonth {
    fn new(span: Span, zone: &str, data: Vec<MembersMonth>) -> Self {
        let mut totals = MembersMonth { key: "total".to_owned(), ..MembersMonth::default() };
        for month in &data {
            totals.joined += month.joined;
            totals.returned += month.returned;
            totals.ended += month.ended;
            totals.members_at_end = month.members_at_end;
        }
        let (from, until, zone) = (span.from, span.until, zone.to_owned());
        Self { from, until, zone, by: MembersBy::Month, data, totals }
    }
}

impl MembersReport {
    /// Its file, without the ending.
    pub fn name(&self, today: NaiveDate) -> String {
        match self {
            Self::Now(report) => format!("members-{}-{today}", report.by.as_str()),
            Self::ByMonth(report) => format!("members-{}-{}", report.from, report.until),
        }
    }

    /// One line a row; the column of customers is there where they are counted.
    pub fn csv(&self) -> String {
        match self {
            Self::Now(report) => {
                let is_ladder = matches!(report.by, MembersBy::Level | MembersBy::Stage);
                let head = format!("{},members,frozen", report.by.as_str());
                let head = if is_ladder { head + ",customers" } else { head };
                csv::lines(&head, &report.data, |MembersGroup { key, members, frozen, customers }| {
                    let customers = customers.map(|customers| format!(",{customers}")).unwrap_or_default();
                    format!("{},{members},{frozen}{customers}", cell(key))
                })
            }
            Self::ByMonth(report) => {
                let head = "month,joined,returned,ended,members_at_end";
                csv::lines(head, &report.data, |month| {
                    let MembersMonth { key, joined, returned, ended, members_at_end } = month;
                    format!("{key},{joined},{returned},{ended},{members_at_end}")
                })
            }
        }
    }
}
