//! What goes over the wire about the audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit::AuditRow;
use crate::types::id::{AccountId, ApiKeyId};

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditFilter {
    /// Such as `refund.create`.
    pub action: Option<String>,
    /// Such as `order`; with `subject` or alone.
    pub subject_kind: Option<String>,
    /// The id of what was acted on.
    pub subject: Option<String>,
    /// The id of who acted: an account or an API key.
    pub actor: Option<String>,
    /// At or after that time.
    pub since: Option<DateTime<Utc>>,
    /// Before that time.
    pub until: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Counts up by one: a gap shows that something was removed.
    pub seq: i64,
    pub at: DateTime<Utc>,
    /// `operator`, `api_key`, `account` or `system`.
    pub actor_kind: String,
    pub actor: Option<String>,
    pub action: String,
    pub subject_kind: String,
    pub subject: String,
    pub reason: Option<String>,
    pub detail: serde_json::Value,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        let actor = row.actor_id.map(|id| match row.actor_kind.as_str() {
            "api_key" => ApiKeyId(id).to_string(),
            _ => AccountId(id).to_string(),
        });
        Self {
            seq: row.seq,
            at: row.at,
            actor_kind: row.actor_kind,
            actor,
            action: row.action,
            subject_kind: row.subject_kind,
            subject: row.subject_id,
            reason: row.reason,
            detail: row.detail,
        }
    }
}

/// The UUID behind an actor's id of either kind.
pub fn actor_uuid(text: &str) -> Option<Uuid> {
    let account = text.parse::<AccountId>().map(|id| id.0);
    account.or_else(|_| text.parse::<ApiKeyId>().map(|id| id.0)).ok()
}
