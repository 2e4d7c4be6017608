//! The queue as operators see it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::jobs;
use crate::types::id::JobId;

/// A job. Its payload holds ids alone, never a secret or an address.
#[derive(Clone, Debug, Serialize, Queryable, Selectable, utoipa::ToSchema)]
#[diesel(table_name = jobs)]
#[schema(as = Job)]
pub struct JobRow {
    pub id: JobId,
    #[schema(example = "send_mail")]
    pub kind: String,
    /// `stripe`, `mail` or `local`.
    #[schema(example = "mail")]
    pub lane: String,
    #[schema(value_type = Object)]
    pub payload: Value,
    /// `queued`, `running`, `done` or `dead`.
    #[schema(example = "dead")]
    pub state: String,
    /// When it is due, by the shop's time.
    pub run_at: DateTime<Utc>,
    /// Tries so far.
    pub attempts: i32,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// A job, and how far its work is where that can be said.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = JobWithProgress)]
pub struct JobView {
    #[serde(flatten)]
    pub row: JobRow,
    pub progress: Option<Progress>,
}

/// Lines of a file, codes of a campaign: so many of so many are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = JobProgress)]
pub struct Progress {
    pub done: i64,
    pub of: i64,
}

/// What an operator looks for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<String>,
    pub kind: Option<String>,
    pub lane: Option<String>,
}

/// A page, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, filter: &Filter, page: Page) -> Result<Vec<JobRow>> {
    let mut query = jobs::table
        .filter(jobs::id.lt(JobId(page.before)))
        .order(jobs::id.desc())
        .limit(page.fetch())
        .select(JobRow::as_select())
        .into_boxed();
    if let Some(state) = &filter.state {
        query = query.filter(jobs::state.eq(state));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(jobs::kind.eq(kind));
    }
    if let Some(lane) = &filter.lane {
        query = query.filter(jobs::lane.eq(lane));
    }
    Ok(query.load(conn).await?)
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: JobId) -> Result<Option<JobRow>> {
    Ok(jobs::table.find(id).select(JobRow::as_select()).first(conn).await.optional()?)
}

/// Puts a dead job back, due now and with all its tries. None where it isn't dead: the guarded update decides.
///
/// # Errors
/// The database's.
pub async fn revive(conn: &mut Conn, id: JobId, now: DateTime<Utc>) -> Result<Option<JobRow>> {
    let row = diesel::update(jobs::table.find(id).filter(jobs::state.eq("dead")))
        .set((
            jobs::state.eq("queued"),
            jobs::run_at.eq(now),
            jobs::attempts.eq(0),
            jobs::lease.eq(None::<Uuid>),
            jobs::finished_at.eq(None::<DateTime<Utc>>),
        ))
        .returning(JobRow::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    Ok(row)
}

/// How full a lane is.
#[derive(Clone, Debug, QueryableByName)]
pub struct LaneLoad {
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub lane: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub state: String,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub count: i64,
    /// The earliest `run_at`.
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    pub oldest_at: DateTime<Utc>,
}

/// What waits, runs or is dead, by lane; what is done isn't counted.
///
/// # Errors
/// The database's.
pub async fn load_by_lane(conn: &mut Conn) -> Result<Vec<LaneLoad>> {
    let sql = "SELECT lane, state, count(*) AS count, min(run_at) AS oldest_at FROM jobs WHERE state = 'queued' \
               GROUP BY lane, state \
               UNION ALL SELECT lane, state, count(*), min(run_at) FROM jobs WHERE state = 'running' \
               GROUP BY lane, state \
               UNION ALL SELECT lane, state, count(*), min(run_at) FROM jobs WHERE state = 'dead' \
               GROUP BY lane, state";
    Ok(diesel::sql_query(sql).load(conn).await?)
}
