//! Judgements about many at once, and what follows of them: the level, its history, points of welcome, mails. Locks accounts,
//! then points.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::model::{self, Kept, NewChange};
use super::rules::{Held, JudgedBy, LevelChangeKind, Levels};
use super::telling;
use crate::db::Conn;
use crate::error::Result;
use crate::loyalty::metrics;
use crate::loyalty::metrics::rules::{Figures, LevelRanks};
use crate::loyalty::points::model::LotKind;
use crate::loyalty::points::service::{self as points, Grant, Terms};
use crate::messages::mails;
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::types::id::{AccountId, LevelChangeId, LevelId};

/// What a judgement came to.
#[derive(Clone, Debug)]
pub struct Decided {
    pub account: AccountId,
    pub kind: LevelChangeKind,
    pub from: Option<LevelId>,
    pub to: Option<Held>,
    /// A review is held once.
    pub cause: String,
    pub why: Value,
    pub judged_at: DateTime<Utc>,
}

/// What was counted, beside what it was counted for.
pub fn why(levels: &Levels, level: LevelId, by: JudgedBy, figures: &Figures) -> Value {
    let level = levels.find(level);
    let criteria = level.and_then(|level| level.criteria(by));
    json!({
        "level": level.map(|level| &level.code),
        "by": by,
        "criteria": criteria,
        "progress": criteria.map(|criteria| criteria.progress(figures, &LevelRanks::new())),
    })
}

/// The level that each of these accounts has reached beyond what it holds, by what was counted of it now.
pub fn reached(
    levels: &Levels,
    figures: &HashMap<AccountId, Figures>,
    kept: &HashMap<AccountId, Kept>,
    at: (DateTime<Utc>, Tz),
) -> BTreeMap<AccountId, Held> {
    let reached = figures.iter().filter_map(|(account, figures)| {
        let held = kept.get(account).and_then(|kept| kept.held);
        Some((*account, levels.raised(held.as_ref(), figures, at)?))
    });
    reached.collect()
}

/// Raises those of these buyers, who are locked, that have reached a higher level; how many.
///
/// # Errors
/// The database's.
pub async fn raise(
    conn: &mut Conn,
    levels: &Levels,
    buyers: &[Buyer],
    figures: &HashMap<AccountId, Figures>,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<usize> {
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let kept = model::kept(conn, &ids).await?;
    let reached = reached(levels, figures, &kept, (now, zone));
    let decided =
        reached.into_iter().filter(|(account, _)| ids.contains(account)).filter_map(|(account, to)| {
            Some(Decided {
                account,
                kind: LevelChangeKind::Raised,
                from: kept.get(&account).and_then(|kept| kept.held).map(|held| held.level),
                to: Some(to),
                cause: format!("raised:{account}:{}", LevelChangeId::new()),
                why: why(levels, to.level, JudgedBy::Enter, figures.get(&account)?),
                judged_at: now,
            })
        });
    let decided: Vec<_> = decided.collect();
    write(conn, levels, buyers, &kept, &decided, (now, zone)).await?;
    Ok(decided.len())
}

/// Something of what these buyers, who are locked, had done went back: whose level no longer rests on what it was judged by gets
/// the one that is left by it.
///
/// # Errors
/// The database's.
pub async fn correct(
    conn: &mut Conn,
    levels: &Levels,
    buyers: &[Buyer],
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<()> {
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let kept = model::kept(conn, &ids).await?;
    let holders = ids.iter().filter_map(|id| Some((*id, kept.get(id)?.held?)));
    let holders: Vec<_> = holders.collect();
    let subjects: Vec<_> = holders.iter().map(|(id, held)| (*id, held.judged_at)).collect();
    let figures = metrics::model::count(conn, &subjects, &levels.measures(), zone).await?;
    let decided = holders.into_iter().filter_map(|(account, held)| {
        let figures = figures.get(&account)?;
        let to = levels.corrected(&held, figures, zone)?;
        Some(Decided {
            account,
            kind: LevelChangeKind::Corrected,
            from: Some(held.level),
            to,
            cause: format!("corrected:{account}:{}", LevelChangeId::new()),
            why: why(levels, held.level, held.judged_by, figures),
            judged_at: held.judged_at,
        })
    });
    let decided: Vec<_> = decided.collect();
    write(conn, levels, buyers, &kept, &decided, (now, zone)).await
}

/// Locks accounts that may stand on a level: not those of guests, nor erased ones.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, ids: &[AccountId]) -> Result<Vec<Buyer>> {
    let mut buyers = accounts::lock_buyers(conn, ids).await?;
    buyers.retain(|buyer| !buyer.is_guest);
    Ok(buyers)
}

/// Writes what was decided about accounts that are locked, and tells them.
///
/// # Errors
/// The database's.
pub async fn write(
    conn: &mut Conn,
    levels: &Levels,
    buyers: &[Buyer],
    kept: &HashMap<AccountId, Kept>,
    decided: &[Decided],
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<()> {
    if decided.is_empty() {
        return Ok(());
    }
    let standing = |one: &Decided| {
        let manual = kept.get(&one.account).and_then(|kept| kept.manual);
        (one.account, Kept { held: one.to, manual })
    };
    model::store_kept(conn, &decided.iter().map(standing).collect::<Vec<_>>()).await?;
    let changes: Vec<_> = decided.iter().map(|one| change(one, now)).collect();
    let ids: Vec<_> = changes.iter().map(|change| change.id).collect();
    NewChange::insert(&mut &*conn, changes).await?;
    let welcomed = welcome(conn, levels, decided, (now, zone)).await?;
    for one in decided.iter().filter(|one| one.kind == LevelChangeKind::Corrected) {
        points::take_back(conn, one.account, &lost(levels, one), now).await?;
    }
    let told = telling::Told { levels, buyers, welcomed: &welcomed };
    let mails = told.mails(conn, decided, &ids).await?;
    mails::queue_all(conn, now, &mails).await
}

fn change(of: &Decided, now: DateTime<Utc>) -> NewChange {
    NewChange {
        id: LevelChangeId::new(),
        account_id: of.account,
        kind: of.kind.as_str(),
        from_level_id: of.from,
        to_level_id: of.to.map(|held| held.level),
        cause: of.cause.clone(),
        why: of.why.clone(),
        reason: None,
        judged_at: of.judged_at,
        created_at: now,
    }
}

/// Why somebody gets points of welcome, once a person and level.
pub fn welcome_cause(level: LevelId, account: AccountId) -> String {
    format!("level:{level}:{account}")
}

/// Gives points to who has reached a level for the first time, while there is a programme. The causes of what was given.
async fn welcome(
    conn: &mut Conn,
    levels: &Levels,
    decided: &[Decided],
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<HashSet<String>> {
    let grants = decided.iter().filter(|one| one.kind == LevelChangeKind::Raised).filter_map(|one| {
        let level = levels.find(one.to?.level).filter(|level| level.welcome_points > 0)?;
        Some(Grant {
            account: one.account,
            kind: LotKind::Level,
            cause: welcome_cause(level.id, one.account),
            points: level.welcome_points,
            level_points: 0,
            order: None,
            reason: None,
        })
    });
    let grants: Vec<_> = grants.collect();
    if grants.is_empty() {
        return Ok(HashSet::new());
    }
    let terms = Terms::load(conn, zone).await?;
    if !terms.programme.is_on {
        return Ok(HashSet::new());
    }
    points::grant(conn, &terms, &grants, now).await
}

/// The causes of the points that were given for levels above what is left.
fn lost(levels: &Levels, one: &Decided) -> Vec<String> {
    let left = one.to.and_then(|held| levels.find(held.level)).map_or(0, |level| level.rank);
    let above = levels.all().iter().filter(|level| level.rank > left);
    above.map(|level| welcome_cause(level.id, one.account)).collect()
}
