//! Applying to organise a chapter, deciding about it, and giving the office up.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::dto::{NewOrganiser, OrganiserChange};
use super::model::{self, ChapterMember, Organiser, State};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::page::Page;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::jobs::Lane;
use crate::loyalty::levels::model as levels;
use crate::loyalty::levels::rules::MemberRole;
use crate::membership::associates::access;
use crate::membership::chapters;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model as accounts;
use crate::types::id::{AccountId, ChapterId, OrganiserId};
use crate::types::text;

/// As what organisers are known, at most so many characters.
const NAME_MAX: usize = 60;

/// Applies to organise the chapter that one is a member of.
///
/// # Errors
/// `not_found`, `chapter_archived`, `members_only`, `other_chapter`, `application_exists`, `invalid_field`
pub async fn apply(app: &App, account: AccountId, code: &str, new: &NewOrganiser) -> Result<Organiser> {
    let now = app.clock.now();
    let motive = text::block(&new.motive, 2_000);
    let motive = motive.map_err(|error| Code::InvalidField.at("motive", error.to_string()))?;
    let public_name = new.public_name.as_deref().map(public_name).transpose()?;
    db::transaction(&app.pool, async |conn| {
        accounts::lock_buyers(conn, &[account]).await?;
        let chapter = chapters::model::by_code_for_use(conn, code).await?.ok_or(Code::NotFound)?;
        if chapter.archived_at.is_some() {
            return Err(Code::ChapterArchived.error());
        }
        belongs(conn, account, chapter.id, now).await?;
        let row = Organiser {
            id: OrganiserId::new(),
            chapter_id: chapter.id,
            account_id: account,
            state: State::Received,
            motive: motive.clone(),
            public_name: public_name.clone(),
            reason: None,
            decided_by: None,
            decided_at: None,
            ended_at: None,
            created_at: now,
            version: 1,
        };
        model::insert(conn, &row).await?;
        Ok(row)
    })
    .await
}

fn public_name(typed: &str) -> Result<String> {
    fields::line("public_name", typed, NAME_MAX)
}

async fn belongs(conn: &mut Conn, account: AccountId, chapter: ChapterId, now: DateTime<Utc>) -> Result<()> {
    let open = access::of(conn, &[account]).await?;
    Ok(rules::belongs(open.first(), chapter, now)?)
}

/// Changes the name under which one is listed.
///
/// # Errors
/// `not_found`, `invalid_field`
pub async fn change(
    app: &App,
    account: AccountId,
    id: OrganiserId,
    change: OrganiserChange,
) -> Result<Organiser> {
    let name = change.public_name.into_change();
    let name = name.map(|name| name.as_deref().map(public_name).transpose()).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let mut row = own(conn, account, id).await?;
        if let Some(name) = name.clone() {
            row.public_name = name;
            model::store(conn, &row).await?;
        }
        Ok(row)
    })
    .await
}

async fn own(conn: &mut Conn, account: AccountId, id: OrganiserId) -> Result<Organiser> {
    let row = model::lock(conn, id).await?.filter(|row| row.account_id == account);
    row.ok_or_else(|| Code::NotFound.error())
}

/// Takes one's application back, or gives the office up. Twice does no more than once.
///
/// # Errors
/// `not_found`, `application_decided` where it was refused.
pub async fn withdraw(app: &App, account: AccountId, id: OrganiserId) -> Result<Organiser> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let mut row = own(conn, account, id).await?;
        row.state = match row.state {
            State::Received => State::Withdrawn,
            State::Approved => State::Ended,
            State::Withdrawn | State::Ended => return Ok(row),
            State::Refused => return Err(Code::ApplicationDecided.error()),
        };
        row.ended_at = Some(now);
        model::store(conn, &row).await?;
        record(conn, Actor::Account(account), "organiser.withdraw", &row, now).await?;
        Ok(row)
    })
    .await
}

/// Locks the applicant's account, which comes before what hangs on it: he may move to another chapter, or be erased meanwhile.
async fn lock_applicant(conn: &mut Conn, id: OrganiserId) -> Result<()> {
    let account = model::find(conn, id).await?.ok_or(Code::NotFound)?.account_id;
    accounts::lock_buyers(conn, &[account]).await?;
    Ok(())
}

/// Makes the applicant an organiser, and tells him.
///
/// # Errors
/// `not_found`, `application_decided`; `members_only`, `other_chapter` where he has left meanwhile.
pub async fn approve(app: &App, actor: Actor, id: OrganiserId) -> Result<Organiser> {
    let now = app.clock.now();
    let decided = db::transaction(&app.pool, async |conn| {
        lock_applicant(conn, id).await?;
        let mut row = received(conn, id).await?;
        belongs(conn, row.account_id, row.chapter_id, now).await?;
        row.state = State::Approved;
        (row.decided_by, row.decided_at) = (actor.id(), Some(now));
        model::store(conn, &row).await?;
        let chapter = chapter_name(conn, row.chapter_id).await?;
        tell(conn, &row, "approved", &Mail::OrganiserApproved { chapter }, now).await?;
        record(conn, actor, "organiser.approve", &row, now).await?;
        Ok(row)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(decided)
}

/// Refuses, with a reason that the applicant reads.
///
/// # Errors
/// `not_found`, `application_decided`, `invalid_field`
pub async fn refuse(app: &App, actor: Actor, id: OrganiserId, reason: &str) -> Result<Organiser> {
    let now = app.clock.now();
    let reason = fields::reason(reason)?;
    let decided = db::transaction(&app.pool, async |conn| {
        lock_applicant(conn, id).await?;
        let mut row = received(conn, id).await?;
        row.state = State::Refused;
        row.reason = Some(reason.clone());
        (row.decided_by, row.decided_at) = (actor.id(), Some(now));
        model::store(conn, &row).await?;
        let chapter = chapter_name(conn, row.chapter_id).await?;
        let mail = Mail::OrganiserRefused { chapter, reason: reason.clone() };
        tell(conn, &row, "refused", &mail, now).await?;
        record(conn, actor, "organiser.refuse", &row, now).await?;
        Ok(row)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(decided)
}

/// Ends an organiser's office, with a reason that he reads.
///
/// # Errors
/// `not_found`, `application_decided` where it is no office, or none any more; `invalid_field`
pub async fn end(app: &App, actor: Actor, id: OrganiserId, reason: &str) -> Result<Organiser> {
    let now = app.clock.now();
    let reason = fields::reason(reason)?;
    let ended = db::transaction(&app.pool, async |conn| {
        lock_applicant(conn, id).await?;
        let mut row = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if row.state != State::Approved {
            return Err(Code::ApplicationDecided.because("There is no office to end."));
        }
        row.state = State::Ended;
        row.reason = Some(reason.clone());
        row.ended_at = Some(now);
        model::store(conn, &row).await?;
        let chapter = chapter_name(conn, row.chapter_id).await?;
        let mail = Mail::OrganiserEnded { chapter, reason: reason.clone() };
        tell(conn, &row, "ended", &mail, now).await?;
        record(conn, actor, "organiser.end", &row, now).await?;
        Ok(row)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(ended)
}

/// The members of a chapter, for one of its organisers: who was approved, or whose level makes him one of his own chapter.
///
/// # Errors
/// `not_found`; `organisers_only`, also where his own membership of the chapter no longer runs.
pub async fn members(app: &App, account: AccountId, code: &str, page: Page) -> Result<Vec<ChapterMember>> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let chapter = chapters::model::by_code(&mut conn, code).await?.ok_or(Code::NotFound)?;
    let has_office = model::office(&mut conn, chapter.id, account).await?.is_some()
        || levels::role_of(&mut conn, account, now).await? == Some(MemberRole::Organiser);
    if !has_office || belongs(&mut conn, account, chapter.id, now).await.is_err() {
        return Err(Code::OrganisersOnly.error());
    }
    model::members(&mut conn, chapter.id, now, page).await
}

async fn received(conn: &mut Conn, id: OrganiserId) -> Result<Organiser> {
    let row = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
    if row.state == State::Received { Ok(row) } else { Err(Code::ApplicationDecided.error()) }
}

async fn chapter_name(conn: &mut Conn, id: ChapterId) -> Result<String> {
    let chapter = chapters::model::find(conn, id).await?;
    Ok(chapter.ok_or_else(|| AppError::internal("an office without its chapter"))?.name)
}

async fn tell(conn: &mut Conn, row: &Organiser, what: &str, mail: &Mail, now: DateTime<Utc>) -> Result<()> {
    let buyer = accounts::load_buyer(conn, row.account_id).await?;
    let Some(address) = buyer.email else { return Ok(()) };
    let to = Recipient { account: Some(buyer.id), address, locale: buyer.locale };
    mails::queue(conn, now, &to, &format!("organiser:{}:{what}", row.id), mail).await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    row: &Organiser,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "organiser",
        subject_id: row.id.to_string(),
        reason: row.reason.as_deref(),
        detail: json!({ "chapter": row.chapter_id.to_string(), "account": row.account_id.to_string() }),
    };
    audit::record(conn, now, entry).await
}
