//! The queue's rows: enqueue, claim with SKIP LOCKED, finish. `run_at` is the shop's time, leases are the machine's.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Job, Lane};
use crate::batch_insert;
use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::ports::clock::machine_now;
use crate::schema::{instances, jobs};
use crate::statement;
use crate::types::id::JobId;

/// A running job whose instance has not been seen for that long goes back to the queue.
pub const INSTANCE_DEAD_AFTER: TimeDelta = TimeDelta::seconds(10);
/// However long a job may take; its lease ends a little later.
pub const TIME_LIMIT: TimeDelta = TimeDelta::seconds(90);
const LEASE: TimeDelta = TimeDelta::seconds(120);
/// A job that is due within that is waited for by its twins.
const SOON: TimeDelta = TimeDelta::seconds(5);

batch_insert! {
    struct NewJob as JobColumns into "jobs" {
        id: JobId => SqlUuid,
        lane: &'static str => Text,
        kind: String => Text,
        payload: Value => Jsonb,
        run_at: DateTime<Utc> => Timestamptz,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// A job that this instance holds.
#[derive(Debug, Queryable, QueryableByName)]
pub struct Claimed {
    #[diesel(sql_type = SqlUuid)]
    pub id: JobId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = diesel::sql_types::Jsonb)]
    pub payload: Value,
    #[diesel(sql_type = diesel::sql_types::Integer)]
    pub attempts: i32,
}

/// # Errors
/// Never in practice: every payload is JSON.
pub fn to_columns(job: &Job) -> Result<(String, Value)> {
    let mut value = serde_json::to_value(job).map_err(AppError::internal)?;
    let payload = value.get_mut("payload").map_or_else(|| json!({}), Value::take);
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok((kind, payload))
}

/// # Errors
/// When this program knows no such kind or payload (a newer one wrote it).
pub fn from_columns(kind: &str, payload: Value) -> Result<Job> {
    serde_json::from_value(json!({ "kind": kind, "payload": payload })).map_err(AppError::internal)
}

/// Queues one job for `run_at` (the shop's time), in the transaction that causes it.
///
/// # Errors
/// The database's.
pub async fn enqueue(conn: &mut Conn, job: &Job, run_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<JobId> {
    let ids = enqueue_all(conn, std::slice::from_ref(&(job.clone(), run_at)), now).await?;
    ids.into_iter().next().ok_or_else(|| AppError::internal("no job was queued"))
}

/// Queues many jobs with one statement.
///
/// # Errors
/// The database's.
pub async fn enqueue_all(
    conn: &mut Conn,
    batch: &[(Job, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Result<Vec<JobId>> {
    enqueue_pipelined(&mut &*conn, batch, now).await
}

/// [`enqueue_all`] into another lane than their own.
///
/// # Errors
/// The database's.
pub async fn enqueue_in(
    conn: &mut Conn,
    lane: Lane,
    batch: &[(Job, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Result<Vec<JobId>> {
    enqueue_rows(&mut &*conn, Some(lane), batch, now).await
}

/// [`enqueue_all`] beside other statements on one connection.
///
/// # Errors
/// The database's.
pub async fn enqueue_pipelined(
    conn: &mut &Conn,
    batch: &[(Job, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Result<Vec<JobId>> {
    enqueue_rows(conn, None, batch, now).await
}

async fn enqueue_rows(
    conn: &mut &Conn,
    lane: Option<Lane>,
    batch: &[(Job, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Result<Vec<JobId>> {
    let mut rows = Vec::with_capacity(batch.len());
    for (job, run_at) in batch {
        let (kind, payload) = to_columns(job)?;
        rows.push(NewJob {
            id: JobId::new(),
            lane: lane.unwrap_or(job.lane()).as_str(),
            kind,
            payload,
            run_at: *run_at,
            created_at: now,
        });
    }
    let ids = rows.iter().map(|row| row.id).collect();
    NewJob::insert(conn, rows).await?;
    Ok(ids)
}

/// Takes up to `limit` due jobs of a lane for `instance`; jobs that others are taking are skipped, and those of
/// [`Job::MERGED`] while a twin runs: what it may not have seen any more is done after it.
///
/// # Errors
/// The database's.
pub async fn claim(
    conn: &mut Conn,
    lane: Lane,
    limit: usize,
    now: DateTime<Utc>,
    instance: Uuid,
) -> Result<Vec<Claimed>> {
    let taken = Take {
        lane: lane.as_str(),
        now,
        merged: Job::MERGED.to_vec(),
        limit: i64::try_from(limit).unwrap_or(i64::MAX),
        instance,
        until: machine_now() + LEASE,
    };
    Ok(taken.load(conn).await?)
}

// Chosen once: as a plain subquery it may be run again for each row, and would choose others.
statement! {
    struct Take = "WITH due AS MATERIALIZED (SELECT id FROM jobs WHERE lane = "
        [lane: &'static str => Text] " AND state = 'queued' AND run_at <= "
        [now: DateTime<Utc> => Timestamptz] " AND (kind <> ALL ("
        [merged: Vec<&'static str> => Array<Text>] ") OR NOT EXISTS (SELECT FROM jobs r \
             WHERE r.state = 'running' AND r.kind = jobs.kind AND r.payload = jobs.payload)) ORDER BY run_at LIMIT "
        [limit: i64 => BigInt] " FOR UPDATE OF jobs SKIP LOCKED) UPDATE jobs SET state = 'running', lease = "
        [instance: Uuid => SqlUuid] ", leased_until = "
        [until: DateTime<Utc> => Timestamptz] ", attempts = attempts + 1 FROM due WHERE jobs.id = due.id \
         RETURNING jobs.id, kind, payload, attempts"
}

/// The jobs that need not run of those that were claimed, and are done by that: of twins in [`Job::MERGED`] one does the work
/// of all, whose causes are committed by now, so that it finds them. That is the one which paces itself, where one will run
/// soon, else the first. Twins that are queued and due are done with it; one that has failed waits for its next try.
///
/// # Errors
/// The database's; then all that was claimed may be run, which does the same more often.
pub async fn merge(
    conn: &mut Conn,
    lane: Lane,
    claimed: &[Claimed],
    now: DateTime<Utc>,
    instance: Uuid,
) -> Result<HashSet<JobId>> {
    let mut known: HashSet<(&str, String)> = HashSet::new();
    let mut merged = HashSet::new();
    for job in claimed.iter().filter(|job| Job::MERGED.contains(&job.kind.as_str())) {
        let is_first = known.insert((&job.kind, job.payload.to_string()));
        if !is_first || merge_queued(conn, lane, job, now).await? {
            merged.insert(job.id);
        }
    }
    if !merged.is_empty() {
        let twins = jobs::table.filter(jobs::id.eq_any(&merged)).filter(jobs::lease.eq(instance));
        diesel::update(twins)
            .set((
                jobs::state.eq("done"),
                jobs::lease.eq(None::<Uuid>),
                jobs::leased_until.eq(None::<DateTime<Utc>>),
                jobs::attempts.eq(jobs::attempts - 1),
                jobs::finished_at.eq(now),
            ))
            .execute(conn)
            .await?;
    }
    Ok(merged)
}

/// Ends the queued twins of a job that are due; true where another one will run soon, by its own pace.
async fn merge_queued(conn: &mut Conn, lane: Lane, job: &Claimed, now: DateTime<Utc>) -> Result<bool> {
    let twins = || {
        jobs::table
            .filter(jobs::lane.eq(lane.as_str()))
            .filter(jobs::state.eq("queued"))
            .filter(jobs::kind.eq(&job.kind))
            .filter(jobs::payload.eq(&job.payload))
            .filter(jobs::last_error.is_null())
    };
    let due = twins().filter(jobs::run_at.le(now)).select(jobs::id).for_update().skip_locked();
    let due: Vec<JobId> = due.load(conn).await?;
    if !due.is_empty() {
        // Still queued: another instance may have taken it since.
        diesel::update(jobs::table.filter(jobs::id.eq_any(due)).filter(jobs::state.eq("queued")))
            .set((jobs::state.eq("done"), jobs::finished_at.eq(now)))
            .execute(conn)
            .await?;
    }
    let paced = twins().filter(jobs::run_at.gt(now)).filter(jobs::run_at.le(now + SOON));
    Ok(diesel::select(diesel::dsl::exists(paced)).get_result(conn).await?)
}

/// # Errors
/// The database's.
pub async fn finish(conn: &mut Conn, done: &[JobId], instance: Uuid, now: DateTime<Utc>) -> Result<()> {
    Finish { now, done: done.to_vec(), instance }.execute(conn).await?;
    Ok(())
}

statement! {
    struct Finish = "UPDATE jobs SET state = 'done', lease = NULL, leased_until = NULL, last_error = NULL, finished_at = "
        [now: DateTime<Utc> => Timestamptz] " WHERE id = ANY ("
        [done: Vec<JobId> => Array<SqlUuid>] ") AND lease = "
        [instance: Uuid => SqlUuid] ""
}

/// Puts a job back for `run_at`; `error` is why, none when it only has to wait (then the try doesn't count).
///
/// # Errors
/// The database's.
pub async fn put_back(
    conn: &mut Conn,
    job: JobId,
    instance: Uuid,
    run_at: DateTime<Utc>,
    error: Option<&str>,
) -> Result<()> {
    let uncounted = i32::from(error.is_none());
    diesel::update(jobs::table.filter(jobs::id.eq(job)).filter(jobs::lease.eq(instance)))
        .set((
            jobs::state.eq("queued"),
            jobs::lease.eq(None::<Uuid>),
            jobs::leased_until.eq(None::<DateTime<Utc>>),
            jobs::run_at.eq(run_at),
            jobs::attempts.eq(jobs::attempts - uncounted),
            jobs::last_error.eq(error),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn bury(
    conn: &mut Conn,
    job: JobId,
    instance: Uuid,
    error: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(jobs::table.filter(jobs::id.eq(job)).filter(jobs::lease.eq(instance)))
        .set((
            jobs::state.eq("dead"),
            jobs::lease.eq(None::<Uuid>),
            jobs::leased_until.eq(None::<DateTime<Utc>>),
            jobs::last_error.eq(error),
            jobs::finished_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Gives back what instances that died were running, and what has run past its lease.
///
/// # Errors
/// The database's.
pub async fn recover(conn: &mut Conn) -> Result<usize> {
    let now = machine_now();
    let alive = instances::table
        .filter(instances::seen_at.gt(now - INSTANCE_DEAD_AFTER))
        .select(instances::id.nullable());
    let lost = jobs::table
        .filter(jobs::state.eq("running"))
        .filter(jobs::leased_until.lt(now).or(diesel::dsl::not(jobs::lease.eq_any(alive))));
    let count = diesel::update(lost)
        .set((
            jobs::state.eq("queued"),
            jobs::lease.eq(None::<Uuid>),
            jobs::leased_until.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await?;
    Ok(count)
}

/// The earliest time at which a job that isn't finished is due; it has passed for those that run now.
///
/// # Errors
/// The database's.
pub async fn next_due(conn: &mut Conn) -> Result<Option<DateTime<Utc>>> {
    // One statement: between two, a job could go from queued to running and be seen by neither. Each part reads the first row
    // of an index, or the few that run.
    let first = |lane: Lane| {
        format!("(SELECT min(run_at) FROM jobs WHERE state = 'queued' AND lane = '{}')", lane.as_str())
    };
    let sql = format!(
        "SELECT least({}, (SELECT min(run_at) FROM jobs WHERE state = 'running')) AS at",
        Lane::ALL.map(first).join(", ")
    );
    let found: FirstDue = diesel::sql_query(sql).get_result(conn).await?;
    Ok(found.at)
}

#[derive(QueryableByName)]
struct FirstDue {
    #[diesel(sql_type = diesel::sql_types::Nullable<Timestamptz>)]
    at: Option<DateTime<Utc>>,
}
