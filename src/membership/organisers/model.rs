//! Rows of applications to organise a chapter, which are the offices too; and an organiser's view of members.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::membership::memberships::model::Stored;
use crate::membership::memberships::rules::GRACE;
use crate::schema::{accounts, chapter_organisers, member_numbers, standings, tiers};
use crate::types::id::{AccountId, ChapterId, OrganiserId};
use crate::types::stored::stored_enum;

stored_enum! {
    State as "OrganiserState" {
        Received = "received",
        /// By the applicant, before it was decided.
        Withdrawn = "withdrawn",
        /// He is an organiser.
        Approved = "approved",
        Refused = "refused",
        /// He was an organiser.
        Ended = "ended",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = chapter_organisers)]
pub struct Organiser {
    pub id: OrganiserId,
    pub chapter_id: ChapterId,
    pub account_id: AccountId,
    pub state: State,
    /// Why he wants to.
    pub motive: String,
    /// The name that he wants to be known by; none: he doesn't want to be listed.
    pub public_name: Option<String>,
    /// Why it was refused or ended.
    pub reason: Option<String>,
    pub decided_by: Option<Uuid>,
    pub decided_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

/// # Errors
/// `application_exists` while another one of the account and chapter is open or approved.
pub async fn insert(conn: &mut Conn, row: &Organiser) -> Result<()> {
    diesel::insert_into(chapter_organisers::table).values(row).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: OrganiserId) -> Result<Option<Organiser>> {
    Ok(chapter_organisers::table.find(id).select(Organiser::as_select()).first(conn).await.optional()?)
}

/// [`find`], locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: OrganiserId) -> Result<Option<Organiser>> {
    let row = chapter_organisers::table.find(id).for_no_key_update();
    Ok(row.select(Organiser::as_select()).first(conn).await.optional()?)
}

/// Writes what can change of a locked row, and raises its version.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, row: &Organiser) -> Result<()> {
    diesel::update(chapter_organisers::table.find(row.id))
        .set((
            chapter_organisers::state.eq(row.state),
            chapter_organisers::public_name.eq(&row.public_name),
            chapter_organisers::reason.eq(&row.reason),
            chapter_organisers::decided_by.eq(row.decided_by),
            chapter_organisers::decided_at.eq(row.decided_at),
            chapter_organisers::ended_at.eq(row.ended_at),
            chapter_organisers::version.eq(chapter_organisers::version + 1),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The office that an account holds in a chapter.
///
/// # Errors
/// The database's.
pub async fn office(conn: &mut Conn, chapter: ChapterId, account: AccountId) -> Result<Option<OrganiserId>> {
    Ok(chapter_organisers::table
        .filter(chapter_organisers::chapter_id.eq(chapter))
        .filter(chapter_organisers::account_id.eq(account))
        .filter(chapter_organisers::state.eq(State::Approved))
        .select(chapter_organisers::id)
        .first(conn)
        .await
        .optional()?)
}

/// Which applications a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    pub account: Option<AccountId>,
    pub chapter: Option<ChapterId>,
    pub state: Option<State>,
}

/// A page of applications, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, wanted: Wanted, page: Page) -> Result<Vec<Organiser>> {
    let mut query = chapter_organisers::table
        .filter(chapter_organisers::id.lt(OrganiserId(page.before)))
        .order(chapter_organisers::id.desc())
        .limit(page.fetch())
        .select(Organiser::as_select())
        .into_boxed();
    if let Some(account) = wanted.account {
        query = query.filter(chapter_organisers::account_id.eq(account));
    }
    if let Some(chapter) = wanted.chapter {
        query = query.filter(chapter_organisers::chapter_id.eq(chapter));
    }
    if let Some(state) = wanted.state {
        query = query.filter(chapter_organisers::state.eq(state));
    }
    Ok(query.load(conn).await?)
}

/// The organisers who want to be known, with the name that they gave: those whose membership of the chapter runs.
///
/// # Errors
/// The database's.
pub async fn public(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<(ChapterId, String)>> {
    let named: Vec<(AccountId, ChapterId, Option<String>)> = chapter_organisers::table
        .filter(chapter_organisers::state.eq(State::Approved))
        .filter(chapter_organisers::public_name.is_not_null())
        .order(chapter_organisers::id)
        .select((
            chapter_organisers::account_id,
            chapter_organisers::chapter_id,
            chapter_organisers::public_name,
        ))
        .load(conn)
        .await?;
    // Of these few accounts, not of all members: a join would read whoever stands.
    let accounts: Vec<_> = named.iter().map(|(account, ..)| *account).collect();
    let ends_at = standings::ends_at;
    let stand: Vec<(AccountId, ChapterId)> = standings::table
        .filter(standings::account_id.eq_any(accounts))
        .filter(standings::state.eq(Stored::Active))
        .filter(ends_at.is_null().or(ends_at.gt(now - GRACE)))
        .select((standings::account_id, standings::chapter_id))
        .load(conn)
        .await?;
    let stand: HashSet<_> = stand.into_iter().collect();
    let running = named.into_iter().filter(|(account, chapter, _)| stand.contains(&(*account, *chapter)));
    Ok(running.filter_map(|(_, chapter, name)| Some((chapter, name?))).collect())
}

/// A member of a chapter, or an associate of one: (its place in the list, number, name, tier's code).
pub type ChapterMember = (Uuid, Option<String>, Option<String>, String);

/// A page of the members, and their associates, whose membership of the chapter runs, newest first.
///
/// # Errors
/// The database's.
pub async fn members(
    conn: &mut Conn,
    chapter: ChapterId,
    now: DateTime<Utc>,
    page: Page,
) -> Result<Vec<ChapterMember>> {
    let ends_at = standings::ends_at;
    Ok(standings::table
        .inner_join(tiers::table.on(tiers::id.eq(standings::tier_id)))
        .inner_join(accounts::table.on(accounts::id.eq(standings::account_id)))
        .left_join(member_numbers::table.on(member_numbers::account_id.eq(standings::account_id)))
        .filter(standings::chapter_id.eq(chapter))
        .filter(standings::key.lt(page.before))
        .filter(standings::state.eq(Stored::Active))
        .filter(ends_at.is_null().or(ends_at.gt(now - GRACE)))
        .order(standings::key.desc())
        .limit(page.fetch())
        .select((standings::key, member_numbers::number.nullable(), accounts::name, tiers::code))
        .load(conn)
        .await?)
}

/// Of an erased account: offices end, and what it wrote of itself goes.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<()> {
    for (from, to) in [(State::Received, State::Withdrawn), (State::Approved, State::Ended)] {
        let open = chapter_organisers::table
            .filter(chapter_organisers::account_id.eq(account))
            .filter(chapter_organisers::state.eq(from));
        diesel::update(open)
            .set((chapter_organisers::state.eq(to), chapter_organisers::ended_at.eq(now)))
            .execute(conn)
            .await?;
    }
    diesel::update(chapter_organisers::table.filter(chapter_organisers::account_id.eq(account)))
        .set((
            chapter_organisers::motive.eq(""),
            chapter_organisers::reason.eq(None::<String>),
            chapter_organisers::public_name.eq(None::<String>),
            chapter_organisers::version.eq(chapter_organisers::version + 1),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
