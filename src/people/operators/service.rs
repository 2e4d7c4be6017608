//! Makes operators, gives and takes roles, ends other people's sessions.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model;
use super::rules::{Role, roles_from_stored, roles_to_stored};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::config::PasswordSettings;
use crate::db::{self, Conn, Pool};
use crate::error::{Code, Result};
use crate::http::precondition::IfMatch;
use crate::people::accounts::model::AccountRow;
use crate::people::accounts::service::{self as accounts_service, NewSeed};
use crate::people::passwords::{self, Hasher, Password};
use crate::people::sessions::model::{EndReason, Which};
use crate::people::{accounts, sessions};
use crate::types::email::Email;
use crate::types::id::AccountId;
use crate::types::locale::Locale;

/// What `kindred operator create` asks for.
pub struct NewOperator {
    pub email: Email,
    pub role: Role,
    /// Of a new account; one that exists keeps its own.
    pub password: Option<Password>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// A new account.
    New(AccountId),
    /// An account that existed has the role now.
    Promoted(AccountId),
}

/// Makes an operator from the command line. The address counts as verified: who can run the command has the machine.
///
/// # Errors
/// `weak_password`; `invalid_field` at `password` when the account is new and there is none.
pub async fn create(
    pool: &Pool,
    cost: &PasswordSettings,
    operator: NewOperator,
    now: DateTime<Utc>,
) -> Result<Created> {
    let mut conn = db::connect(pool).await?;
    if let Some(row) = accounts::model::find_by_email(&mut conn, &operator.email).await? {
        let role = operator.role;
        db::transaction_on(&mut conn, async |conn| promote(conn, row.id, role, now).await).await?;
        return Ok(Created::Promoted(row.id));
    }
    let Some(password) = &operator.password else {
        return Err(Code::InvalidField.at("password", "a new account needs one"));
    };
    passwords::rules::check(password, Some(&operator.email), None, "password")?;
    let password_hash = Hasher::new(cost)?.hash(password).await?;
    let id = db::transaction_on(&mut conn, async |conn| {
        let seed = NewSeed {
            email: operator.email.clone(),
            password_hash: password_hash.clone(),
            name: None,
            locale: Locale::default(),
            is_verified: true,
            roles: vec![operator.role],
        };
        let id = accounts_service::seed(conn, seed, now).await?;
        record_roles(conn, Actor::System, id, &[], &[operator.role], None, now).await?;
        Ok(id)
    })
    .await?;
    Ok(Created::New(id))
}

async fn promote(conn: &mut Conn, id: AccountId, role: Role, now: DateTime<Utc>) -> Result<()> {
    let row = accounts::model::lock(conn, id).await?;
    let old = roles_from_stored(&row.roles);
    let mut new = old.clone();
    new.push(role);
    model::set_roles(conn, id, &new).await?;
    accounts::model::set_verified(conn, id, now).await?;
    record_roles(conn, Actor::System, id, &old, &new, None, now).await
}

/// Sets an account's roles.
///
/// # Errors
/// `not_found`, `version_mismatch`, `last_owner`.
pub async fn set_roles(
    app: &App,
    actor: Actor,
    id: AccountId,
    seen: IfMatch,
    roles: &[Role],
    reason: Option<&str>,
) -> Result<AccountRow> {
    let now = app.clock.now();
    if roles.contains(&Role::Counter) {
        return Err(Code::InvalidField.at("roles", "counter is a role of API keys alone"));
    }
    db::transaction(&app.pool, async |conn| {
        model::lock_with_owners(conn, id).await?;
        let row = model::load(conn, id).await?;
        seen.check(row.version)?;
        if row.erased_at.is_some() {
            return Err(Code::NotFound.error());
        }
        let old = roles_from_stored(&row.roles);
        if old.contains(&Role::Owner) && !roles.contains(&Role::Owner) {
            model::refuse_last_owner(conn, id).await?;
        }
        let row = model::set_roles(conn, id, roles).await?;
        record_roles(conn, actor, id, &old, roles, reason, now).await?;
        Ok(row)
    })
    .await
}

async fn record_roles(
    conn: &mut Conn,
    actor: Actor,
    id: AccountId,
    old: &[Role],
    new: &[Role],
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        actor,
        action: "account.roles",
        subject_kind: "account",
        subject_id: id.to_string(),
        reason,
        detail: json!({ "from": roles_to_stored(old), "to": roles_to_stored(new) }),
    };
    audit::record(conn, now, entry).await
}

/// Ends all sessions of an account: its password may be in wrong hands.
///
/// # Errors
/// `not_found`.
pub async fn end_sessions(app: &App, actor: Actor, id: AccountId) -> Result<()> {
    let now = app.clock.now();
    let ended = db::transaction(&app.pool, async |conn| {
        model::load(conn, id).await?;
        let ended = sessions::model::end(conn, id, Which::All, EndReason::EndedByOperator, now).await?;
        let entry = Entry {
            actor,
            action: "account.end_sessions",
            subject_kind: "account",
            subject_id: id.to_string(),
            reason: None,
            detail: json!({ "sessions": ended.len() }),
        };
        audit::record(conn, now, entry).await?;
        Ok(ended)
    })
    .await?;
    app.tokens.note_ended(&ended, now);
    Ok(())
}
