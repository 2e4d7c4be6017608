//! What operators do with mails.

use serde_json::json;

use super::model::MailRow;
use super::{Mail, model};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::db;
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::types::id::MailId;

/// Sends a dead or sent mail once more, with the same Message-ID.
///
/// # Errors
/// `not_found`; `mail_queued`; `secret_gone` where its one-time link was removed.
pub async fn resend(app: &App, actor: Actor, id: MailId) -> Result<MailRow> {
    let now = app.clock.now();
    let row = db::transaction(&app.pool, async |conn| {
        let row = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if row.state == "queued" {
            return Err(Code::MailQueued.error());
        }
        if Mail::from_columns(&row.kind, row.data.clone())?.is_scrubbed() {
            return Err(Code::SecretGone.error());
        }
        model::requeue(conn, id).await?;
        jobs::enqueue(conn, &Job::SendMail { mail: id }, now, now).await?;
        let entry = audit::Entry {
            actor,
            action: "mail.resend",
            subject_kind: "mail",
            subject_id: id.to_string(),
            reason: None,
            detail: json!({ "kind": row.kind, "was": row.state }),
        };
        audit::record(conn, now, entry).await?;
        model::find(conn, id).await?.ok_or_else(|| Code::NotFound.error())
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(row)
}
