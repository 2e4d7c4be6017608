//! Queries of the audit log.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::audit::AuditRow;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::audit_log;

/// What is looked for; none takes all.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub action: Option<String>,
    pub subject_kind: Option<String>,
    pub subject_id: Option<String>,
    pub actor_id: Option<Uuid>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

/// The place of an entry among pages, whose cursors are UUIDs.
pub fn cursor_of(row: &AuditRow) -> Uuid {
    Uuid::from_u128(u128::try_from(row.seq).unwrap_or(0))
}

/// A page, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, wanted: Wanted, page: Page) -> Result<Vec<AuditRow>> {
    let before = i64::try_from(page.before.as_u128()).unwrap_or(i64::MAX);
    let mut query = audit_log::table
        .filter(audit_log::seq.lt(before))
        .order(audit_log::seq.desc())
        .limit(page.fetch())
        .select(AuditRow::as_select())
        .into_boxed();
    if let Some(action) = wanted.action {
        query = query.filter(audit_log::action.eq(action));
    }
    if let Some(kind) = wanted.subject_kind {
        query = query.filter(audit_log::subject_kind.eq(kind));
    }
    if let Some(id) = wanted.subject_id {
        query = query.filter(audit_log::subject_id.eq(id));
    }
    if let Some(id) = wanted.actor_id {
        query = query.filter(audit_log::actor_id.eq(id));
    }
    if let Some(since) = wanted.since {
        query = query.filter(audit_log::at.ge(since));
    }
    if let Some(until) = wanted.until {
        query = query.filter(audit_log::at.lt(until));
    }
    Ok(query.load(conn).await?)
}
