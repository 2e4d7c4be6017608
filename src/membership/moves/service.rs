//! Choosing a chapter and moving to another one.

use chrono::{DateTime, Utc};

use super::dto::HomeView;
use super::model::{self, Move};
use super::rules;
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::membership::associates::access;
use crate::membership::memberships::{model as memberships, numbers};
use crate::membership::{chapters, number_series, organisers};
use crate::people::accounts::model as accounts;
use crate::types::id::{AccountId, ChapterMoveId};

/// Where the account is a member, or will join.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub async fn home(app: &App, account: AccountId) -> Result<HomeView> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let locale = accounts::load_buyer(&mut conn, account).await?.locale;
    let standing = access::of(&mut conn, &[account]).await?.pop();
    let last = memberships::chapter_of(&mut conn, account).await?;
    let id = match standing.map(|row| row.chapter_id).or(last) {
        Some(id) => id,
        None => match memberships::chosen_chapter(&mut conn, account).await? {
            Some(id) => id,
            None => memberships::default_chapter(&mut conn).await?,
        },
    };
    let chapter = chapters::model::find(&mut conn, id).await?;
    let chapter = chapter.ok_or_else(|| AppError::internal("a membership without its chapter"))?;
    let number = numbers::of(&conn, account).await?;
    let numbers = number_series::model::of_account(&mut conn, account).await?;
    let free_at = rules::free_at(model::last_moved_at(&mut conn, account).await?, now);
    Ok(HomeView::new(chapter, number, numbers, free_at, locale))
}

/// Chooses where to join, as often as one likes; or moves a member to another chapter, with his number. The chapter in which
/// he is already is no move.
///
/// # Errors
/// `unknown_chapter`, `chapter_archived`, `moved_recently`, `is_organiser`
pub async fn choose(app: &App, account: AccountId, code: &str) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        accounts::lock_buyers(conn, &[account]).await?;
        let held = memberships::lock_all_of(conn, &[account]).await?;
        let chapter = chapters::model::by_code_for_use(conn, code).await?.ok_or(Code::UnknownChapter)?;
        let newest = held.into_iter().next();
        if newest.as_ref().is_some_and(|row| row.chapter_id == chapter.id) {
            return Ok(());
        }
        if chapter.archived_at.is_some() {
            return Err(Code::ChapterArchived.error());
        }
        match newest {
            None => model::choose(conn, account, chapter.id, now).await,
            Some(row) => {
                let step = Move {
                    id: ChapterMoveId::new(),
                    account_id: account,
                    from_id: row.chapter_id,
                    to_id: chapter.id,
                    moved_at: now,
                };
                go(conn, step, now).await?;
                memberships::set_chapter(conn, row.id, chapter.id).await
            }
        }
    })
    .await
}

async fn go(conn: &mut Conn, step: Move, now: DateTime<Utc>) -> Result<()> {
    rules::may_move(model::last_moved_at(conn, step.account_id).await?, now)?;
    if organisers::model::office(conn, step.from_id, step.account_id).await?.is_some() {
        return Err(Code::IsOrganiser.error());
    }
    model::insert(conn, step).await
}
