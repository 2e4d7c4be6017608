//! What operators do with jobs.

use serde_json::json;

use super::model::{self, JobRow, Progress};
use super::{Job, Lane, on_retry, queue};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::imports;
use crate::promotion::{coupons, mailings};
use crate::types::id::JobId;

/// How far the work of a job is, where that can be said.
///
/// # Errors
/// The database's.
pub async fn progress(conn: &mut Conn, row: &JobRow) -> Result<Option<Progress>> {
    Ok(match queue::from_columns(&row.kind, row.payload.clone()) {
        Ok(Job::IssueCoupons { issue }) => {
            let issue = coupons::model::find_issue(conn, issue).await?;
            issue.map(|issue| Progress { done: issue.made, of: issue.quantity })
        }
        Ok(Job::MailCoupons { mailing }) => {
            let of = mailings::model::find(conn, mailing).await?;
            of.map(|of| Progress { done: of.given, of: of.accounts.max(of.given) })
        }
        Ok(Job::RunImport { import }) => {
            let import = imports::model::find(conn, import).await?;
            import.map(|import| Progress { done: import.lines_done.into(), of: import.lines.into() })
        }
        _ => None,
    })
}

/// Puts a dead job back into the queue, with all its tries before it.
///
/// # Errors
/// `not_found`, `job_not_dead`.
pub async fn retry(app: &App, actor: Actor, id: JobId) -> Result<JobRow> {
    let now = app.clock.now();
    let row = db::transaction(&app.pool, async |conn| {
        let Some(row) = model::revive(conn, id, now).await? else {
            let known = model::find(conn, id).await?;
            return Err(known.map_or(Code::NotFound, |_| Code::JobNotDead).error());
        };
        // A kind of an older program is put back all the same: it may be known elsewhere.
        if let Ok(job) = queue::from_columns(&row.kind, row.payload.clone()) {
            on_retry(&job, conn).await?;
        }
        let entry = audit::Entry {
            actor,
            action: "job.retry",
            subject_kind: "job",
            subject_id: id.to_string(),
            reason: None,
            detail: json!({ "kind": row.kind }),
        };
        audit::record(conn, now, entry).await?;
        Ok(row)
    })
    .await?;
    for lane in Lane::ALL {
        app.jobs.wake(lane);
    }
    Ok(row)
}
