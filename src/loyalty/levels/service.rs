//! Operators' work on levels, levels that they give, and what somebody is told of his own.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{
    LevelChange, LevelGround, LevelName, LevelReviewView, ManualLevel, NewLevel, NextLevel, OwnLevelView,
};
use super::judging;
use super::model::{self, Kept, LevelSource, Manual, NewChange};
use super::rules::{Drops, Level, LevelChangeKind, Levels};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::loyalty::ladder;
use crate::loyalty::ladder::dto::OwnStage;
use crate::loyalty::metrics;
use crate::loyalty::metrics::rules::{Criteria, LevelRanks};
use crate::loyalty::points::rules::POINTS_MAX;
use crate::loyalty::walks;
use crate::membership::associates::access;
use crate::membership::benefits::own as benefits;
use crate::membership::memberships::rules::{GRACE, gives_access, life};
use crate::membership::tiers::model as tiers;
use crate::people::accounts::model::load_buyer;
use crate::types::id::{AccountId, LevelChangeId, LevelId};
use crate::types::locale::Locale;
use crate::types::patch::Patch;
use crate::types::period::Term;

const RANK_MAX: i32 = 1_000_000;
const DAYS_MAX: i32 = 366;
/// Levels that can be reached.
const LEVELS_MAX: usize = 20;

fn criteria(field: &str, typed: Option<&Value>) -> Result<Option<Criteria>> {
    typed.filter(|typed| !typed.is_null()).map(|typed| Criteria::checked(field, typed, None)).transpose()
}

fn review(typed: &str) -> Result<Term> {
    let wrong = || Code::InvalidField.at("review", "expected a period such as P1Y");
    let term: Term = typed.parse().map_err(|_| wrong())?;
    if term == Term::Lifetime { Err(wrong()) } else { Ok(term) }
}

/// Every figure within its bounds, and what belongs together.
fn checked(level: Level) -> Result<Level> {
    fields::within("rank", level.rank, 1, RANK_MAX)?;
    fields::within("warn_days", level.warn_days, 0, DAYS_MAX)?;
    fields::within("grace_days", level.grace_days, 0, DAYS_MAX)?;
    fields::within("welcome_points", level.welcome_points, 0, POINTS_MAX)?;
    if level.enter.is_none() && level.keep.is_some() {
        return Err(Code::InvalidField.at("keep", "goes with `enter`"));
    }
    Ok(level)
}

/// # Errors
/// `invalid_field`, `code_taken`, `rank_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewLevel) -> Result<Level> {
    let now = app.clock.now();
    let level = checked(Level {
        id: LevelId::new(),
        code: fields::slug("code", &new.code)?,
        rank: new.rank,
        names: fields::names("names", &new.names)?,
        enter: criteria("enter", new.enter.as_ref())?,
        keep: criteria("keep", new.keep.as_ref())?,
        review: review(new.review.as_deref().unwrap_or("P1Y"))?,
        warn_days: new.warn_days.unwrap_or(30),
        grace_days: new.grace_days.unwrap_or(0),
        drops: new.drops.unwrap_or(Drops::ToFit),
        welcome_points: new.welcome_points,
        role: new.role,
        created_at: now,
        archived_at: None,
        version: 1,
    })?;
    db::transaction(&app.pool, async |conn| {
        walks::service::rules_changed(conn, now).await?;
        if model::all(conn).await?.open().count() >= LEVELS_MAX {
            return Err(Code::InvalidField.at("code", format!("at most {LEVELS_MAX} levels")));
        }
        model::insert(conn, &level).await?;
        finish(conn, actor, "level.create", &level, now).await?;
        Ok(level.clone())
    })
    .await
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `rank_taken`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: LevelId,
    seen: IfMatch,
    change: &LevelChange,
) -> Result<Level> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        walks::service::rules_changed(conn, now).await?;
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let level = apply(before, change)?;
        model::store(conn, &level).await?;
        finish(conn, actor, "level.change", &level, now).await?;
        Ok(level)
    })
    .await
}

fn apply(before: Level, change: &LevelChange) -> Result<Level> {
    let names = fields::kept("names", change.names.clone())?;
    let rank = fields::kept("rank", change.rank.clone())?;
    let typed_review = fields::kept("review", change.review.clone())?;
    let criteria_of = |field, patch: &Patch<Value>, kept| match patch {
        Patch::Absent => Ok(kept),
        Patch::Null => Ok(None),
        Patch::Value(typed) => criteria(field, Some(typed)),
    };
    checked(Level {
        rank: rank.unwrap_or(before.rank),
        names: names.map_or(Ok(before.names), |names| fields::names("names", &names))?,
        enter: criteria_of("enter", &change.enter, before.enter)?,
        keep: criteria_of("keep", &change.keep, before.keep)?,
        review: typed_review.map_or(Ok(before.review), |typed| review(&typed))?,
        warn_days: fields::kept("warn_days", change.warn_days.clone())?.unwrap_or(before.warn_days),
        grace_days: fields::kept("grace_days", change.grace_days.clone())?.unwrap_or(before.grace_days),
        drops: fields::kept("drops", change.drops.clone())?.unwrap_or(before.drops),
        welcome_points: fields::kept("welcome_points", change.welcome_points.clone())?
            .unwrap_or(before.welcome_points),
        role: change.role.clone().into_change().unwrap_or(before.role),
        version: before.version + 1,
        ..before
    })
}

/// Nobody reaches it any more; who stands on it does so until his review. Twice does no more than once.
///
/// # Errors
/// `not_found`; `in_use` while it is the floor of a tier.
pub async fn archive(app: &App, actor: Actor, id: LevelId) -> Result<Level> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        walks::service::rules_changed(conn, now).await?;
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        if model::is_floor(conn, id).await? {
            return Err(Code::InUse.because("It is the floor of a tier."));
        }
        let level = Level { archived_at: Some(now), version: before.version + 1, ..before };
        model::store(conn, &level).await?;
        finish(conn, actor, "level.archive", &level, now).await?;
        Ok(level)
    })
    .await
}

async fn finish(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    level: &Level,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "level",
        subject_id: level.id.to_string(),
        reason: None,
        detail: json!({ "code": level.code, "rank": level.rank, "enter": level.enter, "keep": level.keep }),
    };
    audit::record(conn, now, entry).await
}

/// Gives somebody a level, beside what he earns, in the place of one that was given before.
///
/// # Errors
/// `not_found` for the account, `invalid_field`.
pub async fn give(app: &App, actor: Actor, account: AccountId, asked: &ManualLevel) -> Result<()> {
    let now = app.clock.now();
    let until = asked.until.map(|until| fields::ahead("until", until, now)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let levels = model::all(conn).await?;
        let level = levels.open().find(|level| level.code == asked.level);
        let level = level.ok_or_else(|| Code::InvalidField.at("level", "there is no such level"))?.id;
        let manual = Some(Manual { level, until });
        set_manual(conn, actor, account, manual, (&asked.reason, now)).await
    })
    .await
}

/// Takes back what an operator gave.
///
/// # Errors
/// `not_found`, also where nothing was given; `invalid_field`.
pub async fn take_back(app: &App, actor: Actor, account: AccountId, reason: &str) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| set_manual(conn, actor, account, None, (reason, now)).await).await
}

async fn set_manual(
    conn: &mut Conn,
    actor: Actor,
    account: AccountId,
    manual: Option<Manual>,
    (reason, now): (&str, DateTime<Utc>),
) -> Result<()> {
    let reason = fields::reason(reason)?;
    judging::lock(conn, &[account]).await?.pop().ok_or(Code::NotFound)?;
    let kept = model::kept(conn, &[account]).await?.remove(&account).unwrap_or_default();
    let before = kept.manual.filter(|manual| manual.counts(now));
    if manual.is_none() && before.is_none() {
        return Err(Code::NotFound.error());
    }
    model::store_kept(conn, &[(account, Kept { manual, ..kept })]).await?;
    let kind = if manual.is_some() { LevelChangeKind::Manual } else { LevelChangeKind::ManualEnded };
    let change = NewChange {
        id: LevelChangeId::new(),
        account_id: account,
        kind: kind.as_str(),
        from_level_id: before.map(|manual| manual.level),
        to_level_id: manual.map(|manual| manual.level),
        cause: format!("manual:{account}:{}", LevelChangeId::new()),
        why: json!({ "until": manual.and_then(|manual| manual.until) }),
        reason: Some(reason.clone()),
        judged_at: now,
        created_at: now,
    };
    NewChange::insert(&mut &*conn, vec![change]).await?;
    // The ladder asks for levels too.
    walks::service::touched(conn, &[account], false, now).await?;
    let entry = Entry {
        actor,
        action: if manual.is_some() { "level.give" } else { "level.take_back" },
        subject_kind: "account",
        subject_id: account.to_string(),
        reason: Some(&reason),
        detail: json!({ "level": manual.map(|manual| manual.level.to_string()) }),
    };
    audit::record(conn, now, entry).await
}

/// Is there somebody to be told of?
///
/// # Errors
/// `not_found` where there is no such account, or it was erased.
pub async fn is_there(conn: &mut Conn, account: AccountId) -> Result<()> {
    match load_buyer(conn, account).await {
        Err(error) if error.code == Code::Unauthenticated => Err(Code::NotFound.error()),
        other => other.map(|_| ()),
    }
}

/// Every level that somebody has, and whence, the highest first.
fn grounds(levels: &Levels, kept: &Kept, floor: Option<LevelId>, now: DateTime<Utc>) -> Vec<LevelGround> {
    let ground = |source, id: LevelId, since, until| {
        let level = levels.find(id)?;
        Some((level.rank, LevelGround { source, level: level.code.clone(), since, until }))
    };
    let earned = kept.held.and_then(|held| ground(LevelSource::Earned, held.level, Some(held.since), None));
    let manual = kept.manual.filter(|manual| manual.counts(now));
    let manual = manual.and_then(|manual| ground(LevelSource::Manual, manual.level, None, manual.until));
    let floor = floor.and_then(|floor| ground(LevelSource::Tier, floor, None, None));
    let mut all: Vec<_> = [earned, manual, floor].into_iter().flatten().collect();
    // Stable: of two of one rank, what was earned comes first.
    all.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    all.into_iter().map(|(_, ground)| ground).collect()
}

/// Somebody's level, explained.
///
/// # Errors
/// The database's.
pub async fn explain(
    app: &App,
    conn: &mut Conn,
    account: AccountId,
    locale: Option<Locale>,
) -> Result<OwnLevelView> {
    let (now, zone) = (app.clock.now(), app.settings.timezone);
    let locale = match locale {
        Some(locale) => locale,
        None => load_buyer(conn, account).await?.locale,
    };
    let levels = model::all(conn).await?;
    let kept = model::kept(conn, &[account]).await?.remove(&account).unwrap_or_default();
    let standing = access::of(conn, &[account]).await?.pop();
    let floor = match standing.filter(|row| gives_access(life(row, now, GRACE))) {
        Some(row) => tiers::find(conn, row.tier_id).await?.and_then(|tier| tier.floor_level),
        None => None,
    };
    let why = grounds(&levels, &kept, floor, now);
    let level = why.first().and_then(|top| levels.all().iter().find(|level| level.code == top.level));
    let rank = level.map_or(0, |level| level.rank);
    let next = levels.open().find(|next| next.rank > rank && next.enter.is_some());
    let none = LevelRanks::new();
    let measures = levels.measures();
    let figures = metrics::model::count(conn, &[(account, now)], &measures, zone).await?;
    let figures = figures.get(&account).cloned().unwrap_or_default();
    let enter = next.and_then(|next| next.enter.as_ref());
    let review = match kept.held {
        Some(held) => {
            let at = metrics::model::count(conn, &[(account, held.due_at)], &measures, zone).await?;
            let at = at.get(&account).cloned().unwrap_or_default();
            levels.find(held.level).map(|level| LevelReviewView {
                level: level.code.clone(),
                review_at: held.due_at,
                in_grace: held.in_grace,
                would_keep: level.to_keep().is_some_and(|keep| keep.is_met(&at, &none)),
                progress: level.to_keep().map(|keep| keep.progress(&at, &none)).unwrap_or_default(),
            })
        }
        None => None,
    };
    Ok(OwnLevelView {
        progress: enter.map(|enter| enter.progress(&figures, &none)).unwrap_or_default(),
        next: next
            .zip(enter)
            .map(|(next, enter)| NextLevel { level: LevelName::new(next, locale), criteria: enter.clone() }),
        review_at: kept.held.map(|held| held.due_at),
        review,
        stage: stage_of(conn, account, locale).await?,
        role: level.and_then(|level| level.role),
        benefits: benefits::of_level(conn, account, locale, (now, zone)).await?,
        level: level.map(|level| LevelName::new(level, locale)),
        why,
    })
}

async fn stage_of(conn: &mut Conn, account: AccountId, locale: Locale) -> Result<Option<OwnStage>> {
    let Some(stands) = ladder::model::of(conn, &[account]).await?.remove(&account) else { return Ok(None) };
    let stages = ladder::model::all(conn).await?;
    let stage = stages.into_iter().find(|stage| Some(stage.id) == stands.stage_id);
    Ok(stage.map(|stage| OwnStage {
        code: stage.code,
        name: stage.names.pick(locale).to_owned(),
        names: stage.names,
        since: stands.since,
    }))
}

/// Who is erased stands nowhere any more. The account is locked.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    model::forget(conn, account).await?;
    ladder::model::forget(conn, account).await
}
