//! `kindred check`: recomputes from the rows what must be true at any moment, also under load: counters against claims,
//! orders against payments and refunds, memberships against terms, numbers, mails, and the work that is owed.
//!
//! Every check reads the same snapshot, so it sees each transaction as a whole or not at all. Work that is queued is no
//! failure; work that is owed and that no job will do is one. The rules are in [`invariants`], one statement each, which
//! names the rows that break it; games are played again in [`replays`]; the audit log's chain is recomputed in [`audit_chain`].

pub mod audit_chain;
pub mod invariants;
pub mod replays;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz};
use diesel_async::{AnsiTransactionManager, RunQueryDsl, SimpleAsyncConnection, TransactionManager};
use serde::Serialize;

use crate::db::{self, Conn};
use crate::error::{AppError, Result};
use crate::ports::clock::Clock;
use crate::schema::{jobs, shop_clock};

/// How many offenders a check names.
pub const NAMED_OFFENDERS: usize = 10;

/// What `kindred check --json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// True when every check is.
    pub ok: bool,
    pub checks: Vec<Check>,
}

/// One invariant and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    /// The number of rows that break it: 0 when it holds.
    pub rows: i64,
    /// What must be true and, where it isn't, up to [`NAMED_OFFENDERS`] of the rows that break it, each with why.
    pub detail: String,
}

/// An invariant: a statement that returns the rows that break it.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Stable: scripts look for it.
    pub name: &'static str,
    /// What must be true.
    pub says: &'static str,
    /// The prefix of the offenders' ids; empty where they are no ids of ours.
    pub prefix: &'static str,
    /// Returns two columns: the offender and why it is one. It may read `clock.now`, the shop's time.
    pub sql: &'static str,
}

#[derive(QueryableByName)]
struct Offender {
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    why: String,
}

impl Report {
    /// Names of the checks that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect()
    }
}

/// The report as lines for a terminal: one a check, then a verdict.
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for check in &self.checks {
            match check.ok {
                true => writeln!(f, "ok    {}: {}", check.name, check.detail)?,
                false => writeln!(f, "FAIL  {} ({}): {}", check.name, check.rows, check.detail)?,
            }
        }
        match self.failed().len() {
            0 => write!(f, "all {} checks hold", self.checks.len()),
            failed => write!(f, "{failed} of {} checks failed", self.checks.len()),
        }
    }
}

impl Check {
    fn holds(name: &'static str, says: &str) -> Self {
        Self { name, ok: true, rows: 0, detail: says.to_owned() }
    }

    fn broken(name: &'static str, says: &str, rows: i64, offenders: &[String]) -> Self {
        let mut detail = format!("{says}; not so: {}", offenders.join(", "));
        if i64::try_from(offenders.len()).is_ok_and(|named| named < rows) {
            detail.push_str(", …");
        }
        Self { name, ok: false, rows, detail }
    }
}

/// Checks everything in one snapshot of the database. `clock` takes over the shared offset as the snapshot has it, so
/// that its time isn't behind what the rows tell.
///
/// # Errors
/// The database's, or that its schema isn't this program's.
pub async fn run(conn: &mut Conn, clock: &Clock) -> Result<Report> {
    if !db::is_migrated(conn).await.unwrap_or(false) {
        return Err(AppError::internal(
            "the database is empty or older than this program: run `kindred migrate`",
        ));
    }
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    AnsiTransactionManager::begin_transaction_sql(conn, begin).await?;
    let report = in_snapshot(conn, clock).await;
    // Nothing was written; a rollback that fails says less than the report's own error.
    let _ = AnsiTransactionManager::rollback_transaction(conn).await;
    report
}

async fn in_snapshot(conn: &mut Conn, clock: &Clock) -> Result<Report> {
    // The first statement takes the snapshot, and only then is the time read: no row in it is younger than `now`.
    let offset: i64 = shop_clock::table.select(shop_clock::offset_micros).first(conn).await?;
    clock.raise_offset(TimeDelta::microseconds(offset));
    let now = clock.now();
    let checks = recompute(conn, now).await?;
    Ok(Report { ok: checks.iter().all(|check| check.ok), checks })
}

/// Every check, in the transaction that the caller has begun, as of `now` of the shop.
///
/// # Errors
/// The database's.
pub async fn recompute(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<Check>> {
    // Each statement reads whole tables: a nested loop would only come of statistics that are old. One core is enough: the
    // shop goes on meanwhile.
    conn.batch_execute(
        "SET LOCAL enable_nestloop = off; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'; \
         SET LOCAL max_parallel_workers_per_gather = 0",
    )
    .await?;
    let mut checks = Vec::new();
    for invariant in invariants::all() {
        checks.push(look(conn, invariant, now).await?);
    }
    checks.push(look_dead(conn, now).await?);
    checks.push(replays::games(conn).await?);
    checks.push(replays::packets(conn).await?);
    checks.push(audit_chain::look(conn).await?);
    Ok(checks)
}

async fn look(conn: &mut Conn, invariant: &Invariant, now: DateTime<Utc>) -> Result<Check> {
    let sql = format!(
        "WITH clock AS (SELECT $1 AS now), offenders (id, why) AS ({}) \
         SELECT count(*) OVER () AS rows, id::text AS id, why::text AS why FROM offenders ORDER BY 2, 3 LIMIT {}",
        invariant.sql, NAMED_OFFENDERS
    );
    let found: Vec<Offender> =
        diesel::sql_query(sql).bind::<Timestamptz, _>(now).load(conn).await.map_err(|error| {
            AppError::internal(format!("the check `{}` can't be made: {error}", invariant.name))
        })?;
    let [first, ..] = found.as_slice() else { return Ok(Check::holds(invariant.name, invariant.says)) };
    let named: Vec<String> = found.iter().map(|offender| offender.named(invariant.prefix)).collect();
    Ok(Check::broken(invariant.name, invariant.says, first.rows, &named))
}

/// Dead jobs are an operator's to judge; the check fails for those alone that leave work undone, and tells of the others.
async fn look_dead(conn: &mut Conn, now: DateTime<Utc>) -> Result<Check> {
    let mut check = look(conn, &invariants::DEAD_JOBS, now).await?;
    let dead: i64 = jobs::table.filter(jobs::state.eq("dead")).count().get_result(conn).await?;
    check.detail.push_str(&format!(" (dead jobs: {dead})"));
    Ok(check)
}

impl Offender {
    /// As an id looks outside, with why.
    fn named(&self, prefix: &str) -> String {
        match prefix {
            "" => format!("{} ({})", self.id, self.why),
            prefix => format!("{prefix}_{} ({})", self.id.replace('-', ""), self.why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_stable_words() {
        let names: Vec<_> = invariants::all().map(|invariant| invariant.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        }
    }

    #[test]
    fn a_broken_check_names_its_offenders_and_says_when_there_are_more() {
        let check = Check::broken("c", "all is well", 2, &["ord_1 (why)".to_owned()]);
        assert_eq!(check.detail, "all is well; not so: ord_1 (why), …");
        let report = Report { ok: false, checks: vec![Check::holds("a", "so it is"), check] };
        assert_eq!(report.failed(), ["c"]);
        assert!(report.to_string().ends_with("1 of 2 checks failed"));
    }
}
