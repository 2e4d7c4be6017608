//! Rows of invite codes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::invite_codes;
use crate::types::id::AccountId;

/// An account's own code, where it has asked for one.
///
/// # Errors
/// The database's.
pub async fn code_of(conn: &mut Conn, account: AccountId) -> Result<Option<String>> {
    let query = invite_codes::table.filter(invite_codes::account_id.eq(account)).select(invite_codes::code);
    Ok(query.first(conn).await.optional()?)
}

/// Writes an account's code; false where it has one by now, or somebody else has this one.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, account: AccountId, code: &str, now: DateTime<Utc>) -> Result<bool> {
    let row =
        (invite_codes::code.eq(code), invite_codes::account_id.eq(account), invite_codes::created_at.eq(now));
    let written =
        diesel::insert_into(invite_codes::table).values(row).on_conflict_do_nothing().execute(conn).await?;
    Ok(written == 1)
}

/// The account whose a code is; a partner's is nobody's.
///
/// # Errors
/// The database's.
pub async fn owner(conn: &mut Conn, code: &str) -> Result<Option<AccountId>> {
    let query = invite_codes::table.find(code).select(invite_codes::account_id);
    let owner: Option<Option<AccountId>> = query.first(conn).await.optional()?;
    Ok(owner.flatten())
}
