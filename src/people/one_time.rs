//! One-time tokens that go out by mail and prove that somebody reads it: to verify an address, to set a new password, to
//! change an address. Only their hashes are kept.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::secrets;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::schema::account_tokens;
use crate::types::id::AccountId;

const PREFIX: &str = "kt_";

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    VerifyEmail,
    ResetPassword,
    ChangeEmail,
    /// To pay for one's next term, or to stop the charge, by the link of a mail: as often as one likes.
    Renewal,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::Renewal => "renewal",
        }
    }

    /// How long it is good for.
    fn lifetime(self) -> TimeDelta {
        match self {
            Self::VerifyEmail => TimeDelta::days(3),
            Self::ChangeEmail => TimeDelta::days(1),
            Self::ResetPassword => TimeDelta::hours(1),
            // From the first reminder to the end of grace.
            Self::Renewal => TimeDelta::days(38),
        }
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = account_tokens)]
pub struct TokenRow {
    pub hash: Vec<u8>,
    pub account_id: AccountId,
    pub purpose: String,
    /// The address that it was sent to.
    pub email: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
}

/// A new token for an address, and the cause of the mail that carries it.
pub struct Issued {
    pub token: String,
    pub cause: String,
}

/// Makes a token, in the transaction that queues its mail.
///
/// # Errors
/// The database's.
pub async fn issue(
    conn: &mut Conn,
    account: AccountId,
    purpose: Purpose,
    email: &str,
    now: DateTime<Utc>,
) -> Result<Issued> {
    let token = secrets::generate(PREFIX)?;
    let row = TokenRow {
        hash: secrets::hash(&token),
        account_id: account,
        purpose: purpose.as_str().to_owned(),
        email: email.to_owned(),
        created_at: now,
        expires_at: now + purpose.lifetime(),
        used_at: None,
    };
    diesel::insert_into(account_tokens::table).values(&row).execute(conn).await?;
    let cause = format!("{}:{}", purpose.as_str(), secrets::encode("", &row.hash));
    Ok(Issued { token, cause })
}

/// Looks at a token without using it.
///
/// # Errors
/// `token_invalid` for one that is unknown, used, expired or for something else.
pub async fn look(
    conn: &mut Conn,
    token: &str,
    purposes: &[Purpose],
    now: DateTime<Utc>,
) -> Result<TokenRow> {
    let purposes: Vec<&str> = purposes.iter().map(|purpose| purpose.as_str()).collect();
    let row: Option<TokenRow> = account_tokens::table
        .find(secrets::hash(token))
        .filter(account_tokens::used_at.is_null())
        .filter(account_tokens::expires_at.gt(now))
        .filter(account_tokens::purpose.eq_any(purposes))
        .select(TokenRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.ok_or_else(|| Code::TokenInvalid.error())
}

/// Uses a token up: of two at once, one wins.
///
/// # Errors
/// `token_invalid` when it was used or has expired meanwhile.
pub async fn consume(conn: &mut Conn, token: &TokenRow, now: DateTime<Utc>) -> Result<()> {
    let unused = account_tokens::table
        .find(&token.hash)
        .filter(account_tokens::used_at.is_null())
        .filter(account_tokens::expires_at.gt(now));
    let used = diesel::update(unused).set(account_tokens::used_at.eq(now)).execute(conn).await?;
    if used == 1 { Ok(()) } else { Err(Code::TokenInvalid.error()) }
}

/// Withdraws an account's tokens of one purpose.
///
/// # Errors
/// The database's.
pub async fn withdraw(conn: &mut Conn, account: AccountId, purpose: Purpose) -> Result<()> {
    withdraw_all(conn, &[account], purpose).await
}

/// [`withdraw`] for many.
///
/// # Errors
/// The database's.
pub async fn withdraw_all(conn: &mut Conn, accounts: &[AccountId], purpose: Purpose) -> Result<()> {
    let unused = account_tokens::table
        .filter(account_tokens::account_id.eq_any(accounts))
        .filter(account_tokens::purpose.eq(purpose.as_str()))
        .filter(account_tokens::used_at.is_null());
    diesel::delete(unused).execute(conn).await?;
    Ok(())
}

/// The address that an account has asked to change to and not verified yet.
///
/// # Errors
/// The database's.
pub async fn pending_email(
    conn: &mut Conn,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    Ok(account_tokens::table
        .filter(account_tokens::account_id.eq(account))
        .filter(account_tokens::purpose.eq(Purpose::ChangeEmail.as_str()))
        .filter(account_tokens::used_at.is_null())
        .filter(account_tokens::expires_at.gt(now))
        .order(account_tokens::created_at.desc())
        .select(account_tokens::email)
        .first(conn)
        .await
        .optional()?)
}
