//! The two jobs that look at accounts, set by set. What one set came to is committed with how far it went: killed half-way they go
//! on there.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::model::{self, Walk};
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::jobs::shift::Shift;
use crate::jobs::{self, Job, Lane, Outcome};
use crate::loyalty::ladder::rules::Stage;
use crate::loyalty::ladder::{self, service::Ladder};
use crate::loyalty::levels::rules::Levels;
use crate::loyalty::levels::{self, judging};
use crate::loyalty::metrics;
use crate::loyalty::metrics::rules::{Figures, LevelRanks};
use crate::ports::clock::Clock;
use crate::types::id::AccountId;

/// Accounts of one transaction.
const BATCH: i64 = 2_000;

/// Something happened to these accounts that may bring them to a level or a stage; called in the transaction of what happened.
/// `went_back`: something that counted before counts no more.
///
/// # Errors
/// The database's.
pub async fn touched(
    conn: &mut Conn,
    accounts: &[AccountId],
    went_back: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    if !accounts.is_empty() && model::touch(conn, accounts, went_back, now).await? {
        jobs::enqueue(conn, &Job::FollowLevels {}, now, now).await?;
    }
    Ok(())
}

/// Rules are to be other ones: everybody is looked at anew. Locks the walk that runs, which comes before levels.
///
/// # Errors
/// The database's.
pub async fn rules_changed(conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
    if let Some(walk) = model::open(conn).await? {
        // Those whom it has passed were judged by the old ones.
        model::store(conn, &Walk { cursor: None, ..walk }).await?;
    }
    jobs::enqueue(conn, &Job::WalkLoyalty {}, now, now).await?;
    Ok(())
}

/// The job [`Job::FollowLevels`]: looks at whom something happened to.
///
/// # Errors
/// The database's.
pub async fn follow(app: &App) -> Result<Outcome> {
    let (clock, zone) = (&app.clock, app.settings.timezone);
    let mut shift = Shift::begin();
    loop {
        let found = db::transaction(&app.pool, async |conn| follow_some(conn, clock, zone).await).await?;
        if found == 0 {
            app.jobs.wake(Lane::Mail);
            return Ok(Outcome::Done);
        }
        if shift.is_over() {
            return Ok(Outcome::Again(app.clock.now()));
        }
        if found < BATCH {
            shift.gather().await;
        }
    }
}

/// How many looks were taken.
async fn follow_some(conn: &mut Conn, clock: &Clock, zone: Tz) -> Result<i64> {
    let found = model::take(conn, BATCH).await?;
    // Another instance's clock may be ahead: what was taken has happened.
    let now = found.iter().map(|look| look.at).chain([clock.now()]).max().unwrap_or_default();
    let at = (now, zone);
    let ids: BTreeSet<_> = found.iter().map(|look| look.account_id).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let mut buyers = judging::lock(conn, &ids).await?;
    let went_back: BTreeSet<_> =
        found.iter().filter(|look| look.went_back).map(|look| look.account_id).collect();
    buyers.retain(|buyer| went_back.contains(&buyer.id));
    if !buyers.is_empty() {
        let levels = levels::model::all_for_judging(conn).await?;
        judging::correct(conn, &levels, &buyers, at).await?;
    }
    look(conn, &ids, at).await?;
    Ok(i64::try_from(found.len()).unwrap_or(BATCH))
}

/// The job [`Job::WalkLoyalty`]: looks at everybody, once a day and after a change of rules.
///
/// # Errors
/// The database's.
pub async fn walk(app: &App) -> Result<Outcome> {
    let (now, zone) = (app.clock.now(), app.settings.timezone);
    let begin = async |conn: &mut Conn| {
        let new = Walk {
            id: Uuid::now_v7(),
            day: now.with_timezone(&zone).date_naive(),
            cursor: None,
            judged: 0,
            raised: 0,
            moved: 0,
            started_at: now,
            finished_at: None,
        };
        // One that was cut short goes on.
        model::insert(conn, &new).await
    };
    db::transaction(&app.pool, begin).await?;
    let shift = Shift::begin();
    while db::transaction(&app.pool, async |conn| walk_on(conn, (now, zone)).await).await? {
        if shift.is_over() {
            return Ok(Outcome::Again(app.clock.now()));
        }
    }
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

async fn walk_on(conn: &mut Conn, (now, zone): (DateTime<Utc>, Tz)) -> Result<bool> {
    let Some(walk) = model::open(conn).await? else { return Ok(false) };
    let ids = model::next(conn, walk.cursor, BATCH).await?;
    let Some(last) = ids.last().copied() else {
        model::store(conn, &Walk { finished_at: Some(now), ..walk }).await?;
        return Ok(false);
    };
    let seen = look(conn, &ids, (now, zone)).await?;
    let count = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
    let walk = Walk {
        cursor: Some(last),
        judged: walk.judged + count(ids.len()),
        raised: walk.raised + count(seen.raised),
        moved: walk.moved + count(seen.moved),
        ..walk
    };
    model::store(conn, &walk).await?;
    Ok(true)
}

/// What a look came to.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    raised: usize,
    moved: usize,
}

/// Raises those of these accounts who have reached a level, and moves them on the ladder.
async fn look(conn: &mut Conn, ids: &[AccountId], at: (DateTime<Utc>, Tz)) -> Result<Seen> {
    let levels = levels::model::all_for_judging(conn).await?;
    let stages = ladder::model::all(conn).await?;
    let ranks = levels::model::ranks(conn).await?;
    let rules = Rules { levels: &levels, stages: &stages, ranks: &ranks };
    let changing = rules.count(conn, ids, at).await?.changing;
    if changing.is_empty() {
        return Ok(Seen::default());
    }
    // Counted once more under the lock: something may have happened to them, or somebody else have raised or moved them.
    let buyers = judging::lock(conn, &changing).await?;
    let locked: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let figures = rules.count(conn, &locked, at).await?.figures;
    let raised = judging::raise(conn, &levels, &buyers, &figures, at).await?;
    let ladder = Ladder { stages: &stages, ranks: &ranks, figures: &figures };
    let moved = ladder.climb(conn, &buyers, at.0).await?;
    Ok(Seen { raised, moved })
}

/// What somebody is looked at by.
struct Rules<'a> {
    levels: &'a Levels,
    stages: &'a [Stage],
    ranks: &'a LevelRanks,
}

/// What was counted of some accounts, and which of them it changes.
struct CountedNow {
    figures: HashMap<AccountId, Figures>,
    changing: Vec<AccountId>,
}

impl Rules<'_> {
    async fn count(
        &self,
        conn: &mut Conn,
        ids: &[AccountId],
        (now, zone): (DateTime<Utc>, Tz),
    ) -> Result<CountedNow> {
        let mut measures = self.levels.measures_to_enter();
        ladder::rules::measures(self.stages, &mut measures);
        let subjects: Vec<_> = ids.iter().map(|id| (*id, now)).collect();
        let mut figures = metrics::model::count(conn, &subjects, &measures, zone).await?;
        let kept = levels::model::kept(conn, ids).await?;
        let reached = judging::reached(self.levels, &figures, &kept, (now, zone));
        // As they stand once they are raised.
        let held = levels::model::held_ranks(conn, ids, now).await?;
        for (id, figures) in &mut figures {
            let reached =
                reached.get(id).and_then(|held| self.levels.find(held.level)).map(|level| level.rank);
            figures.level_rank = reached.max(held.get(id).copied());
        }
        let ladder = Ladder { stages: self.stages, ranks: self.ranks, figures: &figures };
        let moving = ladder.moving(&ladder::model::of(conn, ids).await?);
        let changing: BTreeSet<_> = reached.into_keys().chain(moving).collect();
        Ok(CountedNow { changing: changing.into_iter().collect(), figures })
    }
}
