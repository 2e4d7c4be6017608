//! What was counted of accounts, as of a moment each: all that is asked for, of many at once, in one statement.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::rules::{Figures, Measure, Metric};
use crate::db::Conn;
use crate::error::Result;
use crate::types::id::AccountId;
use crate::types::period::Term;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: AccountId,
    #[diesel(sql_type = Array<BigInt>)]
    counted: Vec<i64>,
}

/// Counts these measures of each account, as of its moment: later acts don't count, but what went back since is gone. An account
/// at most once.
///
/// # Errors
/// The database's.
pub async fn count(
    conn: &mut Conn,
    subjects: &[(AccountId, DateTime<Utc>)],
    measures: &[Measure],
    zone: Tz,
) -> Result<HashMap<AccountId, Figures>> {
    if measures.is_empty() {
        return Ok(subjects.iter().map(|(id, _)| (*id, Figures::default())).collect());
    }
    let (ids, moments): (Vec<_>, Vec<_>) = subjects.iter().copied().unzip();
    let rows: Vec<Row> = diesel::sql_query(statement(measures))
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Timestamptz>, _>(moments)
        .bind::<Text, _>(zone.name())
        .load(conn)
        .await?;
    let figures = |row: Row| {
        let counted = measures.iter().copied().zip(row.counted).collect();
        (row.id, Figures { counted, level_rank: None })
    };
    Ok(rows.into_iter().map(figures).collect())
}

/// From which rows a metric is counted, when each of them counts, and what they come to.
struct Source {
    metrics: &'static [Metric],
    from: &'static str,
    at: &'static str,
}

const SOURCES: [Source; 4] = [
    Source {
        metrics: &[Metric::Spend, Metric::Orders],
        from: "order_money r ON r.account_id = a.id",
        at: "r.paid_at",
    },
    Source {
        metrics: &[Metric::LevelPoints],
        from: "points_lots r ON r.account_id = a.id",
        at: "r.active_at",
    },
    Source {
        metrics: &[Metric::Referrals],
        from: "referrals r ON r.inviter_id = a.id AND r.state = 'rewarded'",
        at: "r.ended_at",
    },
    Source { metrics: &[Metric::CheckIns], from: "check_ins r ON r.account_id = a.id", at: "r.created_at" },
];

/// Takes the accounts, the moment of each and the zone whose calendar windows go by. `counted` has the measures' order.
pub fn statement(measures: &[Measure]) -> String {
    let mut joined = String::new();
    let mut columns = vec!["0"; measures.len()].into_iter().map(str::to_owned).collect::<Vec<_>>();
    for (nth, source) in SOURCES.iter().enumerate() {
        let mut sums = Vec::new();
        for (index, measure) in measures.iter().enumerate() {
            if !source.metrics.contains(&measure.metric) {
                continue;
            }
            let within = format!("{} > {}", source.at, begin(measure.window));
            sums.push(match measure.metric {
                Metric::Spend => format!("sum(r.minor) FILTER (WHERE {within}) AS m{index}"),
                Metric::Orders => format!("count(*) FILTER (WHERE r.stands AND {within}) AS m{index}"),
                Metric::LevelPoints => {
                    format!("sum(r.level_points - r.level_reversed) FILTER (WHERE {within}) AS m{index}")
                }
                _ => format!("count(*) FILTER (WHERE {within}) AS m{index}"),
            });
            if let Some(column) = columns.get_mut(index) {
                // Sums of 64 bits may need more.
                *column =
                    format!("least(greatest(coalesce(s{nth}.m{index}, 0), 0), 9223372036854775807)::bigint");
            }
        }
        if !sums.is_empty() {
            joined += &format!(
                " LEFT JOIN (SELECT a.id, {} FROM a JOIN {} AND {} <= a.at GROUP BY a.id) s{nth} ON s{nth}.id = a.id",
                sums.join(", "),
                source.from,
                source.at
            );
        }
    }
    if let Some(index) = measures.iter().position(|measure| measure.metric == Metric::Tenure) {
        joined += TENURE;
        if let Some(column) = columns.get_mut(index) {
            "coalesce(t.days, 0)::bigint".clone_into(column);
        }
    }
    format!(
        "WITH a AS MATERIALIZED (SELECT * FROM UNNEST($1, $2) AS a (id, at), (SELECT $3::text AS name) zone)
         SELECT a.id, ARRAY[{}] AS counted FROM a{joined}",
        columns.join(", ")
    )
}

/// A membership counts until it was over or frozen; what it has rested before doesn't count, of its member's own rests those that
/// came later aside.
const TENURE: &str = " LEFT JOIN (
    SELECT a.id, floor(sum(greatest(extract(epoch FROM least(a.at, m.until) - m.from_at) - greatest(m.rested - coalesce((
               SELECT sum(extract(epoch FROM f.ended_at - f.started_at)) FROM membership_freezes f
               WHERE f.account_id = a.id AND f.membership_id = m.membership_id AND f.started_at >= a.at), 0), 0), 0)) / 86400) AS days
    FROM a JOIN (
        SELECT id AS membership_id, account_id, starts_at AS from_at, least(ends_at, closed_at, frozen_at) AS until,
               rested_seconds AS rested
        FROM memberships
        UNION ALL
        SELECT m.id, s.account_id, s.accepted_at, least(s.ended_at, m.ends_at, m.closed_at, m.frozen_at), 0
        FROM associates s JOIN memberships m ON m.id = s.membership_id WHERE s.accepted_at IS NOT NULL
    ) m ON m.account_id = a.id AND m.from_at < a.at GROUP BY a.id) t ON t.id = a.id";

/// The beginning of a window, exclusive.
fn begin(window: Option<Term>) -> String {
    let back = |unit: &str, count: u32| {
        format!("((a.at AT TIME ZONE a.name - make_interval({unit} => {count})) AT TIME ZONE a.name)")
    };
    match window {
        None | Some(Term::Lifetime) => "'-infinity'::timestamptz".to_owned(),
        Some(Term::Months(months)) => back("months", months),
        Some(Term::Days(days)) => back("days", days),
    }
}
