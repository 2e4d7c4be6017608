//! Rows of choices and moves.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{chapter_choices, chapter_moves};
use crate::types::id::{AccountId, ChapterId, ChapterMoveId};

/// A member went to another chapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Insertable)]
#[diesel(table_name = chapter_moves)]
pub struct Move {
    pub id: ChapterMoveId,
    pub account_id: AccountId,
    pub from_id: ChapterId,
    pub to_id: ChapterId,
    pub moved_at: DateTime<Utc>,
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, row: Move) -> Result<()> {
    diesel::insert_into(chapter_moves::table).values(row).execute(conn).await?;
    Ok(())
}

/// When the account moved for the last time.
///
/// # Errors
/// The database's.
pub async fn last_moved_at(conn: &mut Conn, account: AccountId) -> Result<Option<DateTime<Utc>>> {
    let own = chapter_moves::table.filter(chapter_moves::account_id.eq(account));
    Ok(own.select(diesel::dsl::max(chapter_moves::moved_at)).first(conn).await?)
}

/// Where the account, which never was a member, will join.
///
/// # Errors
/// The database's.
pub async fn choice(conn: &mut Conn, account: AccountId) -> Result<Option<ChapterId>> {
    let own = chapter_choices::table.find(account).select(chapter_choices::chapter_id);
    Ok(own.first(conn).await.optional()?)
}

/// # Errors
/// The database's.
pub async fn choose(
    conn: &mut Conn,
    account: AccountId,
    chapter: ChapterId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(chapter_choices::table)
        .values((
            chapter_choices::account_id.eq(account),
            chapter_choices::chapter_id.eq(chapter),
            chapter_choices::chosen_at.eq(now),
        ))
        .on_conflict(chapter_choices::account_id)
        .do_update()
        .set((chapter_choices::chapter_id.eq(chapter), chapter_choices::chosen_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

/// The choice is made use of, or forgotten with the account.
///
/// # Errors
/// The database's.
pub async fn drop_choice(conn: &mut Conn, account: AccountId) -> Result<()> {
    drop_choices(conn, &[account]).await
}

/// [`drop_choice`] of many.
///
/// # Errors
/// The database's.
pub async fn drop_choices(conn: &mut Conn, accounts: &[AccountId]) -> Result<()> {
    let own = chapter_choices::table.filter(chapter_choices::account_id.eq_any(accounts));
    diesel::delete(own).execute(conn).await?;
    Ok(())
}
