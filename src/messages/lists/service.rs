//! Leaving lists and coming back, and suppressing addresses. Whatever of it concerns an account locks it first and then looks
//! at the clock, as who queues a notice does: so it is known which came first.

use serde_json::json;

use super::dto::{Bounce, BounceKind, MailPreferencesPatch};
use super::model::{self, Suppression, SuppressionReason};
use super::rules::{self, MailList};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::people::accounts::model as accounts;
use crate::people::person;
use crate::types::id::{AccountId, MailId, SuppressionId};

/// One click: the list of the token is left, once and for all, and no other.
///
/// # Errors
/// `token_invalid`
pub async fn unsubscribe(app: &App, token: &str) -> Result<MailList> {
    db::transaction(&app.pool, async |conn| {
        let secret = person::secret(conn).await?;
        let (account, list) = rules::read_token(&secret, token).ok_or(Code::TokenInvalid)?;
        // Who was erased is on no list.
        if !accounts::lock_buyers(conn, &[account]).await?.is_empty() {
            model::leave(conn, account, list, app.clock.now()).await?;
        }
        Ok(list)
    })
    .await
}

/// Leaves lists and comes back to them. The account's row is locked.
///
/// # Errors
/// The database's.
pub async fn prefer(
    conn: &mut Conn,
    app: &App,
    account: AccountId,
    patch: MailPreferencesPatch,
) -> Result<()> {
    for (list, is_wanted) in patch.wanted() {
        if is_wanted {
            model::join(conn, account, list).await?;
        } else {
            model::leave(conn, account, list, app.clock.now()).await?;
        }
    }
    Ok(())
}

/// The address behind the one click of a mail of this list: for its header and its last line.
///
/// # Errors
/// The database's.
pub async fn way_out(conn: &mut Conn, app: &App, account: AccountId, list: MailList) -> Result<String> {
    let token = rules::token(&person::secret(conn).await?, account, list)?;
    let home = app.settings.public_url.as_str().trim_end_matches('/');
    Ok(format!("{home}/v1/unsubscribe?t={token}"))
}

/// What the mail's provider tells of a mail: hard bounces and complaints suppress its address. True where it is suppressed.
///
/// # Errors
/// `invalid_field`, `not_found` for a mail that isn't there.
pub async fn bounce(app: &App, actor: Actor, told: &Bounce) -> Result<bool> {
    let reason = match told.kind {
        BounceKind::HardBounce => SuppressionReason::HardBounce,
        BounceKind::Complaint => SuppressionReason::Complaint,
        BounceKind::ByHand => SuppressionReason::ByHand,
        BounceKind::SoftBounce => return Ok(false),
    };
    let mail = match (&told.address, told.message_id.as_deref()) {
        (Some(_), None) => None,
        (None, Some(id)) => Some(mail_of(id)?),
        _ => return Err(Code::InvalidField.at("address", "name an address or a message_id")),
    };
    db::transaction(&app.pool, async |conn| {
        let email_key = match (&told.address, mail) {
            (_, Some(mail)) => {
                let address = model::address_of(conn, mail).await?.filter(|address| !address.is_empty());
                address.ok_or(Code::NotFound)?.to_lowercase()
            }
            (Some(address), None) => address.key(),
            (None, None) => return Err(Code::NotFound.error()),
        };
        if let Some(account) = model::account_of(conn, &email_key).await? {
            accounts::lock_buyers(conn, &[account]).await?;
        }
        let now = app.clock.now();
        let row = Suppression { id: SuppressionId::new(), email_key, reason, created_at: now };
        if model::suppress(conn, &row).await? {
            let detail = json!({ "reason": reason });
            record(conn, app, actor, "suppression.create", row.id, detail).await?;
        }
        Ok(true)
    })
    .await
}

/// The mail of a Message-ID of ours.
fn mail_of(message_id: &str) -> Result<MailId> {
    let bare = message_id.trim().trim_start_matches('<').trim_end_matches('>');
    let id = bare.split('@').next().unwrap_or_default();
    id.parse().map_err(|_| Code::InvalidField.at("message_id", "not a Message-ID of this shop"))
}

/// The address may be written to again.
///
/// # Errors
/// `not_found`
pub async fn release(app: &App, actor: Actor, id: SuppressionId) -> Result<()> {
    db::transaction(&app.pool, async |conn| {
        if !model::delete(conn, id).await? {
            return Err(Code::NotFound.error());
        }
        record(conn, app, actor, "suppression.delete", id, json!({})).await
    })
    .await
}

async fn record(
    conn: &mut Conn,
    app: &App,
    actor: Actor,
    action: &str,
    id: SuppressionId,
    detail: serde_json::Value,
) -> Result<()> {
    let (subject_kind, subject_id) = ("suppression", id.to_string());
    let entry = Entry { actor, action, subject_kind, subject_id, reason: None, detail };
    audit::record(conn, app.clock.now(), entry).await
}
