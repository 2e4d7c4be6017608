//! Judgements about many at once, and what follows of them: the level, its history, points of welcome, mails. Locks accounts,
//! then points.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::model::{self, Kept, NewChange};
use super::rules::{Held, JudgedBy, Judgement, LevelChangeKind, Levels};
use super::telling;
use crate::db::Conn;
use crate::error::Result;
use crate::jobs::{self, Job};
use crate::loyalty::metrics;
use crate::loyalty::metrics::rules::{Figures, LevelRanks};
use crate::loyalty::points::model::{GivenLot, LotKind, given_for};
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
    /// What was held until now.
    pub before: Option<Held>,
    /// A review is held once.
    pub cause: String,
    pub why: Value,
    pub judged_at: DateTime<Utc>,
    /// Levels that were reached by what went back.
    pub undone: Vec<Held>,
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

/// Raises those of these buyers, who are locked, that have reached a higher level; how many. `figures` are theirs.
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
    let decided = reached.into_iter().filter_map(|(account, to)| {
        let before = kept.get(&account).and_then(|kept| kept.held);
        Some(Decided {
            account,
            kind: LevelChangeKind::Raised,
            from: before.map(|held| held.level),
            to: Some(to),
            before,
            undone: Vec::new(),
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
/// what he would have without it. Twice does no more than once.
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
    let judgements = model::judgements(conn, &ids).await?;
    let mut decided: BTreeMap<AccountId, Decided> = BTreeMap::new();
    let mut open = holders(&ids, &kept);
    // What somebody had before may rest on the same.
    while !open.is_empty() {
        let asked = rests_on(open, &judgements);
        let mut measures = Vec::new();
        asked.iter().for_each(|(.., judgement)| judgement.criteria.measures(&mut measures));
        let subjects: Vec<_> = asked.iter().map(|(id, held, _)| (*id, held.judged_at)).collect();
        let figures = metrics::model::count(conn, &subjects, &measures, zone).await?;
        open = Vec::new();
        for (account, held, judgement) in asked {
            let Some(figures) = figures.get(&account) else { continue };
            let Some(to) = levels.corrected(&held, &judgement, figures, zone) else { continue };
            let one = decided.entry(account).or_insert_with(|| Decided {
                account,
                kind: LevelChangeKind::Corrected,
                from: Some(held.level),
                to,
                before: Some(held),
                cause: format!("corrected:{account}:{}", LevelChangeId::new()),
                why: corrected_why(levels, &held, &judgement, figures),
                judged_at: held.judged_at,
                undone: Vec::new(),
            });
            one.to = to;
            if held.judged_by == JudgedBy::Enter {
                one.undone.push(held);
            }
            open.extend(to.map(|to| (account, to)));
        }
    }
    let subjects: Vec<_> = decided.keys().map(|id| (*id, now)).collect();
    let figures = metrics::model::count(conn, &subjects, &levels.measures_to_enter(), zone).await?;
    let decided =
        decided.into_values().filter_map(|one| reached_all_the_same(levels, one, &figures, (now, zone)));
    let decided: Vec<_> = decided.collect();
    write(conn, levels, buyers, &kept, &decided, (now, zone)).await
}

/// What is reached by what is left, as things stand, is held in any case; nothing is corrected where that is the level itself.
fn reached_all_the_same(
    levels: &Levels,
    one: Decided,
    figures: &HashMap<AccountId, Figures>,
    at: (DateTime<Utc>, Tz),
) -> Option<Decided> {
    let reached = levels.raised(one.to.as_ref(), figures.get(&one.account)?, at).map(|reached| {
        // What he had all along he goes on having, and with it what he was given for it.
        let earlier = one.undone.iter().filter(|held| held.level == reached.level).map(|held| held.since);
        Held { since: earlier.min().unwrap_or(reached.since), ..reached }
    });
    let mut corrected = Decided { to: reached.or(one.to), ..one };
    if corrected.to.map(|held| held.level) == corrected.from {
        return None;
    }
    let rank = |held: &Held| levels.find(held.level).map_or(0, |level| level.rank);
    let left = corrected.to.as_ref().map_or(0, rank);
    corrected.undone.retain(|held| rank(held) > left);
    if let (Some(reached), Some(why)) = (reached, corrected.why.as_object_mut()) {
        let level = levels.find(reached.level);
        why.insert("rests_on".to_owned(), json!(level.and_then(|level| level.criteria(JudgedBy::Enter))));
    }
    Some(corrected)
}

fn holders(ids: &[AccountId], kept: &HashMap<AccountId, Kept>) -> Vec<(AccountId, Held)> {
    ids.iter().filter_map(|id| Some((*id, kept.get(id)?.held?))).collect()
}

/// What is held, each with the judgement that it rests on.
fn rests_on(
    held: Vec<(AccountId, Held)>,
    judgements: &HashMap<AccountId, Vec<Judgement>>,
) -> Vec<(AccountId, Held, Judgement)> {
    let its = |(account, held): (AccountId, Held)| {
        let of = judgements.get(&account)?;
        let its = of.iter().find(|of| (of.level, of.judged_at) == (held.level, held.judged_at))?;
        Some((account, held, its.clone()))
    };
    held.into_iter().filter_map(its).collect()
}

fn corrected_why(levels: &Levels, held: &Held, of: &Judgement, figures: &Figures) -> Value {
    json!({
        "level": levels.find(held.level).map(|level| &level.code),
        "by": held.judged_by,
        "criteria": of.criteria,
        "progress": of.criteria.progress(figures, &LevelRanks::new()),
    })
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
    let welcomed = welcome(conn, levels, decided, (now, zone)).await?;
    let changes: Vec<_> = decided.iter().map(|one| change(one, &welcomed, now)).collect();
    let ids: Vec<_> = changes.iter().map(|change| change.id).collect();
    NewChange::insert(&mut &*conn, changes).await?;
    for one in decided {
        for held in &one.undone {
            undo(conn, one.account, held, now).await?;
        }
    }
    let told = telling::Told { levels, buyers: telling::by_id(buyers), welcomed: &welcomed };
    let mails = told.mails(conn, decided, &ids).await?;
    mails::queue_all(conn, now, &mails).await
}

/// What somebody got for a level that he hadn't earned after all goes back: points of welcome that came with it, and coupons that
/// he claimed of it.
async fn undo(conn: &mut Conn, account: AccountId, held: &Held, now: DateTime<Utc>) -> Result<()> {
    let given = points_of(conn, &[account]).await?;
    let cause = welcome_cause(held.level, account);
    let its = given.into_iter().filter(|of| of.cause.starts_with(&cause) && of.created_at >= held.since);
    let causes: Vec<_> = its.map(|of| of.cause).collect();
    if !causes.is_empty() {
        points::take_back(conn, account, &causes, now).await?;
    }
    let job = Job::TakeBackLevelPerks { account, level: held.level, since: held.since };
    jobs::enqueue(conn, &job, now, now).await?;
    Ok(())
}

fn change(of: &Decided, welcomed: &HashMap<AccountId, i64>, now: DateTime<Utc>) -> NewChange {
    let mut why = of.why.clone();
    if of.kind == LevelChangeKind::Raised
        && let Some(why) = why.as_object_mut()
    {
        why.insert("before".to_owned(), json!(of.before));
        why.insert("welcome_points".to_owned(), json!(welcomed.get(&of.account)));
    }
    NewChange {
        id: LevelChangeId::new(),
        account_id: of.account,
        kind: of.kind.as_str(),
        from_level_id: of.from,
        to_level_id: of.to.map(|held| held.level),
        cause: of.cause.clone(),
        why,
        reason: None,
        judged_at: of.judged_at,
        created_at: now,
    }
}

/// Why somebody gets points of welcome. What was taken back may be given again, under a cause that goes on from this one.
fn welcome_cause(level: LevelId, account: AccountId) -> String {
    format!("level:{level}:{account}")
}

async fn points_of(conn: &mut Conn, accounts: &[AccountId]) -> Result<Vec<GivenLot>> {
    given_for(conn, accounts, LotKind::Level).await
}

/// Gives points to who has reached a level, once a person, while there is a programme. How many each got.
async fn welcome(
    conn: &mut Conn,
    levels: &Levels,
    decided: &[Decided],
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<HashMap<AccountId, i64>> {
    let reached = with_welcome(levels, decided);
    if reached.is_empty() {
        return Ok(HashMap::new());
    }
    let terms = Terms::load(conn, zone).await?;
    if !terms.programme.is_on {
        return Ok(HashMap::new());
    }
    let accounts: Vec<_> = reached.iter().map(|(account, ..)| *account).collect();
    let known = points_of(conn, &accounts).await?;
    let grants = new_welcomes(reached, &known);
    points::grant(conn, &terms, &grants, now).await?;
    Ok(grants.into_iter().map(|grant| (grant.account, grant.points)).collect())
}

/// Who has reached a level that gives points, and how many.
fn with_welcome(levels: &Levels, decided: &[Decided]) -> Vec<(AccountId, LevelId, i64)> {
    let raised = decided.iter().filter(|one| one.kind == LevelChangeKind::Raised);
    let reached = raised.filter_map(|one| {
        let level = levels.find(one.to?.level).filter(|level| level.welcome_points > 0)?;
        Some((one.account, level.id, level.welcome_points))
    });
    reached.collect()
}

/// Without those who have had theirs, unless it was taken back.
fn new_welcomes(reached: Vec<(AccountId, LevelId, i64)>, known: &[GivenLot]) -> Vec<Grant> {
    let mut theirs: HashMap<AccountId, Vec<&GivenLot>> = HashMap::new();
    known.iter().for_each(|of| theirs.entry(of.account_id).or_default().push(of));
    let new = reached.into_iter().filter_map(|(account, level, points)| {
        let cause = welcome_cause(level, account);
        let his = theirs.get(&account).into_iter().flatten();
        let earlier: Vec<_> = his.filter(|of| of.cause.starts_with(&cause)).collect();
        earlier.iter().all(|of| of.kept == 0).then(|| Grant {
            account,
            kind: LotKind::Level,
            cause: if earlier.is_empty() { cause } else { format!("{cause}:{}", earlier.len()) },
            points,
            level_points: 0,
            order: None,
            reason: None,
        })
    });
    new.collect()
}
