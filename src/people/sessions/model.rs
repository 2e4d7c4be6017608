//! Rows and queries of sessions and their refresh tokens.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{refresh_tokens, sessions};
use crate::types::id::{AccountId, SessionId};

#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub struct SessionRow {
    pub id: SessionId,
    pub account_id: AccountId,
    pub user_agent: String,
    pub created_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens)]
pub struct RefreshRow {
    pub hash: Vec<u8>,
    pub session_id: SessionId,
    pub salt: Vec<u8>,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    SignedOut,
    /// The password was set anew.
    Reset,
    /// An old refresh token came back.
    Reuse,
    Erased,
    EndedByOperator,
}

impl EndReason {
    fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Reset => "reset",
            Self::Reuse => "reuse",
            Self::Erased => "erased",
            Self::EndedByOperator => "ended_by_operator",
        }
    }
}

/// Which sessions of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    One(SessionId),
    AllBut(SessionId),
    All,
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, session: &SessionRow, token: &RefreshRow) -> Result<()> {
    diesel::insert_into(sessions::table).values(session).execute(conn).await?;
    insert_token(conn, token).await
}

/// # Errors
/// The database's.
pub async fn insert_token(conn: &mut Conn, token: &RefreshRow) -> Result<()> {
    diesel::insert_into(refresh_tokens::table).values(token).execute(conn).await?;
    Ok(())
}

/// Locks a refresh token by its hash and tells its session's account, and whether the session has ended.
///
/// # Errors
/// The database's.
pub async fn lock_token(conn: &mut Conn, hash: &[u8]) -> Result<Option<(RefreshRow, AccountId, bool)>> {
    // The lock first, in a statement of its own: what is read after it can't be older than it.
    let token: Option<RefreshRow> = refresh_tokens::table
        .find(hash)
        .select(RefreshRow::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()?;
    let Some(token) = token else { return Ok(None) };
    let (account, ended_at): (AccountId, Option<DateTime<Utc>>) = sessions::table
        .find(token.session_id)
        .select((sessions::account_id, sessions::ended_at))
        .for_no_key_update()
        .first(conn)
        .await?;
    Ok(Some((token, account, ended_at.is_some())))
}

/// # Errors
/// The database's.
pub async fn mark_used(conn: &mut Conn, token: &RefreshRow, now: DateTime<Utc>) -> Result<()> {
    diesel::update(refresh_tokens::table.find(&token.hash))
        .set(refresh_tokens::used_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn touch(
    conn: &mut Conn,
    id: SessionId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    diesel::update(sessions::table.find(id))
        .set((sessions::last_seen_at.eq(now), sessions::expires_at.eq(expires_at)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends sessions that have not ended, and tells which.
///
/// # Errors
/// The database's.
pub async fn end(
    conn: &mut Conn,
    account: AccountId,
    which: Which,
    reason: EndReason,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    let change = (sessions::ended_at.eq(now), sessions::ended_reason.eq(reason.as_str()));
    let live = sessions::table.filter(sessions::account_id.eq(account)).filter(sessions::ended_at.is_null());
    let update = match which {
        Which::All => diesel::update(live).set(change).returning(sessions::id).load(conn).await,
        Which::One(id) => {
            diesel::update(live.filter(sessions::id.eq(id)))
                .set(change)
                .returning(sessions::id)
                .load(conn)
                .await
        }
        Which::AllBut(id) => {
            diesel::update(live.filter(sessions::id.ne(id)))
                .set(change)
                .returning(sessions::id)
                .load(conn)
                .await
        }
    };
    Ok(update?)
}

/// True when the account has, or had, that session.
///
/// # Errors
/// The database's.
pub async fn belongs(conn: &mut Conn, account: AccountId, id: SessionId) -> Result<bool> {
    let own = sessions::table.find(id).filter(sessions::account_id.eq(account));
    Ok(diesel::select(diesel::dsl::exists(own)).get_result(conn).await?)
}

/// The sessions that live, the newest first.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut Conn,
    account: AccountId,
    page: Page,
    now: DateTime<Utc>,
) -> Result<Vec<SessionRow>> {
    Ok(sessions::table
        .filter(sessions::account_id.eq(account))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .filter(sessions::id.lt(SessionId(page.before)))
        .order(sessions::id.desc())
        .limit(page.fetch())
        .select(SessionRow::as_select())
        .load(conn)
        .await?)
}
