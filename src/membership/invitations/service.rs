//! Operators' work on invitations.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::dto::NewInvitations;
use super::model::{self, Invitation, NewInvitation};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db;
use crate::error::{Code, Result};
use crate::fields;
use crate::membership::drives;
use crate::membership::drives::model::Admission;
use crate::types::email::Email;
use crate::types::id::{DriveId, InvitationId, PoolId};

const MOST_AT_ONCE: i64 = 1_000;
const MOST_USES: i64 = 1_000_000;

/// Codes or reserved places, as asked for. An address that was invited before keeps its invitation, with the new end.
///
/// # Errors
/// `not_found`, `wrong_admission`, `closed`, `invalid_field`
pub async fn create(
    app: &App,
    actor: Actor,
    drive: DriveId,
    new: &NewInvitations,
) -> Result<Vec<Invitation>> {
    let now = app.clock.now();
    let expires_at = new.expires_at.map(|at| fields::ahead("expires_at", at, now)).transpose()?;
    let rows = asked_for(new)?;
    let addresses: Vec<String> = rows.iter().filter_map(|row| row.email_key.clone()).collect();
    db::transaction(&app.pool, async |conn| {
        let drive = drives::model::find(conn, drive).await?.ok_or(Code::NotFound)?;
        if drive.admission != Admission::Invitation {
            return Err(Code::WrongAdmission.because("This drive takes people in without invitations."));
        }
        if drives::rules::state(&drive, now) == drives::rules::State::Closed {
            return Err(Code::Closed.error());
        }
        let mut ids = model::insert(conn, drive.id, &rows, expires_at, now).await?;
        if !addresses.is_empty() {
            ids = model::renew(conn, drive.id, &addresses, expires_at).await?;
        }
        // No codes and no addresses: the log is read by more people than they are for.
        let detail = json!({ "count": ids.len(), "by_address": !addresses.is_empty() });
        record(conn, actor, "invitation.create", ("drive", drive.id.to_string()), detail, now).await?;
        model::load(conn, &ids).await
    })
    .await
}

/// What the body asks for, with new ids and codes.
fn asked_for(new: &NewInvitations) -> Result<Vec<NewInvitation>> {
    let uses = fields::within("uses", new.uses.unwrap_or(1), 1, MOST_USES)?;
    match (new.codes, &new.emails) {
        (Some(count), None) => {
            let count = fields::within("codes", count, 1, MOST_AT_ONCE)?;
            Ok((0..count).map(|_| invitation(None, uses)).collect())
        }
        (None, Some(emails)) => {
            if new.uses.is_some_and(|uses| uses != 1) {
                return Err(Code::InvalidField.at("uses", "a place for an address is one place"));
            }
            let count = i64::try_from(emails.len()).unwrap_or(i64::MAX);
            fields::within("emails", count, 1, MOST_AT_ONCE)?;
            let mut keys: Vec<String> = emails.iter().map(Email::key).collect();
            keys.sort_unstable();
            keys.dedup();
            Ok(keys.into_iter().map(|key| invitation(Some(key), 1)).collect())
        }
        _ => Err(Code::InvalidField.at("codes", "send either `codes` or `emails`")),
    }
}

fn invitation(email_key: Option<String>, uses: i64) -> NewInvitation {
    let code = rules::code_from(rand::random());
    NewInvitation { id: InvitationId::new(), code, email_key, pool: PoolId::new(), uses }
}

/// Withdraws an invitation: nobody uses it from now on. What was bought with it stays. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn revoke(app: &App, actor: Actor, id: InvitationId) -> Result<Invitation> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        if model::revoke(conn, id, now).await? {
            let subject = ("invitation", id.to_string());
            record(conn, actor, "invitation.revoke", subject, json!({}), now).await?;
        }
        model::load(conn, &[id]).await?.pop().ok_or_else(|| Code::NotFound.error())
    })
    .await
}

async fn record(
    conn: &mut db::Conn,
    actor: Actor,
    action: &str,
    (subject_kind, subject_id): (&str, String),
    detail: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<()> {
    audit::record(conn, now, Entry { actor, action, subject_kind, subject_id, reason: None, detail }).await
}
