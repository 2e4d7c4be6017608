//! Makes and revokes API keys.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::dto::{ApiKey, CreatedApiKey, NewApiKey};
use super::model::{self, ApiKeyRow};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::people::operators::rules::{Role, roles_to_stored};
use crate::people::secrets;
use crate::promotion::treats::model as treats;
use crate::types::id::{AccountId, ApiKeyId};

/// Makes a key. Its secret is in the answer and nowhere else.
///
/// # Errors
/// `invalid_field`.
pub async fn create(app: &App, actor: Actor, maker: AccountId, new: &NewApiKey) -> Result<CreatedApiKey> {
    let now = app.clock.now();
    let name = rules::name(&new.name)?;
    if new.roles.is_empty() {
        return Err(Code::InvalidField.at("roles", "expected at least one"));
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        return Err(Code::InvalidField.at("expires_at", "is in the past"));
    }
    if new.roles.contains(&Role::Counter) != new.counter.is_some() || is_mixed(&new.roles) {
        return Err(Code::InvalidField.at("counter", "goes with the role counter alone, and that with it"));
    }
    let outlet =
        new.counter.as_ref().map(|place| fields::line("counter.outlet", &place.outlet, 100)).transpose()?;
    let key = secrets::generate(rules::PREFIX)?;
    let api_key = db::transaction(&app.pool, async |conn| {
        let row = ApiKeyRow {
            id: ApiKeyId::new(),
            name: name.clone(),
            hash: secrets::hash(&key),
            roles: roles_to_stored(&new.roles).into_iter().map(str::to_owned).collect(),
            created_by: maker,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            merchant_id: new.counter.as_ref().map(|place| place.merchant),
            outlet: outlet.clone(),
        };
        if let Some(merchant) = row.merchant_id
            && treats::load_merchants(conn, &[merchant]).await?.is_empty()
        {
            return Err(Code::InvalidField.at("counter.merchant", "there is no such merchant"));
        }
        model::insert(conn, &row).await?;
        let detail = json!({ "name": row.name, "roles": row.roles, "expires_at": row.expires_at });
        record(conn, actor, "api_key.create", row.id, detail, now).await?;
        Ok(ApiKey::from(row))
    })
    .await?;
    Ok(CreatedApiKey { api_key, key })
}

/// A counter's key does nothing else.
fn is_mixed(roles: &[Role]) -> bool {
    roles.contains(&Role::Counter) && roles.iter().any(|role| *role != Role::Counter)
}

/// Revokes a key, from the next request on.
///
/// # Errors
/// `not_found`.
pub async fn revoke(app: &App, actor: Actor, id: ApiKeyId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        if model::revoke(conn, id, now).await? {
            record(conn, actor, "api_key.revoke", id, json!({}), now).await?;
        }
        Ok(())
    })
    .await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    id: ApiKeyId,
    detail: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry =
        Entry { actor, action, subject_kind: "api_key", subject_id: id.to_string(), reason: None, detail };
    audit::record(conn, now, entry).await
}
