//! The job that holds the reviews that are due, mails who is about to lose a level, and ends what operators gave for a time. Set
//! by set: killed half-way it goes on with what is still due.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::json;

use super::judging::{self, Decided, why};
use super::model::{self, Kept, NewChange};
use super::rules::{Held, JudgedBy, LevelChangeKind, Levels};
use super::telling;
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::jobs::shift::Shift;
use crate::jobs::{Lane, Outcome};
use crate::loyalty::metrics;
use crate::loyalty::metrics::rules::{Figures, LevelRanks};
use crate::messages::mails;
use crate::people::accounts::model::Buyer;
use crate::types::id::{AccountId, LevelChangeId};

/// Accounts of one transaction.
pub const BATCH: i64 = 2_000;

/// The job [`crate::jobs::Job::ReviewLevels`]. Reviews look back from their own day: of two that were missed each is held, in order.
///
/// # Errors
/// The database's.
pub async fn run(app: &App) -> Result<Outcome> {
    let (now, zone) = (app.clock.now(), app.settings.timezone);
    let currency = &app.settings.currency;
    let shift = Shift::begin();
    while db::transaction(&app.pool, async |conn| some(conn, currency, (now, zone)).await).await? {
        if shift.is_over() {
            return Ok(Outcome::Again(app.clock.now()));
        }
    }
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

/// One part of what is due; false where nothing is.
async fn some(conn: &mut Conn, currency: &str, at: (DateTime<Utc>, Tz)) -> Result<bool> {
    Ok(end_manual(conn, at.0).await? || review(conn, currency, at).await? || warn(conn, currency, at).await?)
}

async fn review(conn: &mut Conn, currency: &str, (now, zone): (DateTime<Utc>, Tz)) -> Result<bool> {
    let due = model::due(conn, now, BATCH).await?;
    if due.is_empty() {
        return Ok(false);
    }
    let levels = model::all_for_judging(conn).await?;
    let buyers = judging::lock(conn, &due).await?;
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let kept = model::kept(conn, &ids).await?;
    let is_due = |held: &Held| held.due_at <= now;
    let holders = kept.iter().filter_map(|(id, kept)| Some((*id, kept.held.filter(is_due)?)));
    let holders: Vec<(AccountId, Held)> = holders.collect();
    let subjects: Vec<_> = holders.iter().map(|(id, held)| (*id, held.due_at)).collect();
    let figures = metrics::model::count(conn, &subjects, &levels.measures(), zone).await?;
    let decided = holders.iter().filter_map(|(account, held)| {
        let figures = figures.get(account)?;
        let (kind, to) = levels.reviewed(held, figures, zone);
        Some(Decided {
            account: *account,
            kind,
            from: Some(held.level),
            to,
            before: Some(*held),
            undone: Vec::new(),
            cause: format!("review:{account}:{}", held.due_at.timestamp_micros()),
            why: why(&levels, held.level, JudgedBy::Keep, figures),
            judged_at: held.due_at,
        })
    });
    let decided: Vec<_> = decided.collect();
    judging::write(conn, &levels, &buyers, &kept, &decided, (now, zone)).await?;
    let in_grace = decided.iter().filter(|one| one.kind == LevelChangeKind::Grace);
    let warned = in_grace.filter_map(|one| Some((one.account, one.to?, figures.get(&one.account)?)));
    tell_missing(conn, &levels, &buyers, warned.collect(), (currency, now)).await?;
    Ok(true)
}

async fn warn(conn: &mut Conn, currency: &str, (now, zone): (DateTime<Utc>, Tz)) -> Result<bool> {
    let found = model::to_warn(conn, now, BATCH).await?;
    if found.is_empty() {
        return Ok(false);
    }
    let levels = model::all_for_judging(conn).await?;
    let buyers = judging::lock(conn, &found).await?;
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let mut kept = model::kept(conn, &ids).await?;
    kept.retain(|_, kept| kept.held.and_then(|held| held.warn_at).is_some_and(|at| at <= now));
    let holders: Vec<_> = kept.iter().filter_map(|(id, kept)| Some((*id, kept.held?))).collect();
    let subjects: Vec<_> = holders.iter().map(|(id, held)| (*id, held.due_at)).collect();
    let figures = metrics::model::count(conn, &subjects, &levels.measures(), zone).await?;
    let missing = holders.iter().filter_map(|(id, held)| {
        let figures = figures.get(id)?;
        let criteria = levels.find(held.level)?.to_keep()?;
        (!criteria.is_met(figures, &LevelRanks::new())).then_some((*id, *held, figures))
    });
    tell_missing(conn, &levels, &buyers, missing.collect(), (currency, now)).await?;
    let told = |(id, kept): (&AccountId, &Kept)| {
        let held = kept.held.map(|held| Held { warn_at: None, ..held });
        (*id, Kept { held, ..*kept })
    };
    model::store_kept(conn, &kept.iter().map(told).collect::<Vec<_>>()).await?;
    Ok(true)
}

async fn tell_missing(
    conn: &mut Conn,
    levels: &Levels,
    buyers: &[Buyer],
    of: Vec<(AccountId, Held, &Figures)>,
    (currency, now): (&str, DateTime<Utc>),
) -> Result<()> {
    let buyers = telling::by_id(buyers);
    let mails = of.into_iter().filter_map(|(account, held, figures)| {
        telling::missing(levels, buyers.get(&account)?, &held, figures, currency)
    });
    let mails: Vec<_> = mails.collect();
    mails::queue_all(conn, now, &mails).await
}

async fn end_manual(conn: &mut Conn, now: DateTime<Utc>) -> Result<bool> {
    let found = model::manual_over(conn, now, BATCH).await?;
    if found.is_empty() {
        return Ok(false);
    }
    let buyers = judging::lock(conn, &found).await?;
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let mut kept: HashMap<AccountId, Kept> = model::kept(conn, &ids).await?;
    kept.retain(|_, kept| kept.manual.is_some_and(|manual| !manual.counts(now)));
    let changes = kept.iter().filter_map(|(account, kept)| {
        let manual = kept.manual?;
        Some(NewChange {
            id: LevelChangeId::new(),
            account_id: *account,
            kind: LevelChangeKind::ManualEnded.as_str(),
            from_level_id: Some(manual.level),
            to_level_id: kept.held.map(|held| held.level),
            cause: format!("manual_ended:{account}:{}", manual.until?.timestamp_micros()),
            why: json!({ "until": manual.until }),
            reason: None,
            judged_at: manual.until?,
            created_at: now,
        })
    });
    NewChange::insert(&mut &*conn, changes.collect()).await?;
    let ended = |(id, kept): (&AccountId, &Kept)| (*id, Kept { manual: None, ..*kept });
    model::store_kept(conn, &kept.iter().map(ended).collect::<Vec<_>>()).await?;
    Ok(true)
}
