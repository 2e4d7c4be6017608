//! What people do with their accounts.

use chrono::{DateTime, Utc};

use super::model::{self, NewAccount};
use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::people::operators::rules::{Role, roles_to_stored};
use crate::types::email::Email;
use crate::types::id::AccountId;
use crate::types::locale::Locale;

/// An account that comes from nobody's sign-up: demo data, rehearsals, tests.
#[derive(Clone, Debug)]
pub struct NewSeed {
    pub email: Email,
    /// In PHC format; of any cost.
    pub password_hash: String,
    pub name: Option<String>,
    pub locale: Locale,
    pub is_verified: bool,
    pub roles: Vec<Role>,
}

/// Makes one account of a seed, without mail.
///
/// # Errors
/// `email_taken`.
pub async fn seed(conn: &mut Conn, seed: NewSeed, now: DateTime<Utc>) -> Result<AccountId> {
    let ids = seed_all(conn, &[seed], now).await?;
    ids.into_iter().next().ok_or_else(|| AppError::internal("no account was made"))
}

/// Makes many accounts with few statements.
///
/// # Errors
/// `email_taken`.
pub async fn seed_all(conn: &mut Conn, seeds: &[NewSeed], now: DateTime<Utc>) -> Result<Vec<AccountId>> {
    let rows: Vec<NewAccount<'_>> = seeds
        .iter()
        .map(|seed| NewAccount {
            id: AccountId::new(),
            email: seed.email.as_str(),
            email_key: seed.email.key(),
            person_key: seed.email.person_key(),
            password_hash: &seed.password_hash,
            name: seed.name.as_deref(),
            locale: seed.locale.as_str(),
            marketing: false,
            roles: roles_to_stored(&seed.roles),
            invite_code: None,
            email_verified_at: seed.is_verified.then_some(now),
            created_at: now,
        })
        .collect();
    model::insert_all(conn, &rows).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
