//! Who moves on the ladder, and operators' work on its stages.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{NewStage, StageChange};
use super::model::{self, NewStageChange, StandsOn};
use super::rules::{Stage, stage_of};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::loyalty::levels::model as levels;
use crate::loyalty::metrics::rules::{Criteria, Figures, LevelRanks};
use crate::loyalty::walks;
use crate::people::accounts::model::Buyer;
use crate::types::id::{AccountId, StageChangeId, StageId};

const RANK_MAX: i32 = 1_000_000;
/// Rungs of the ladder.
const STAGES_MAX: usize = 20;

/// By what people are moved on the ladder.
pub struct Ladder<'a> {
    pub stages: &'a [Stage],
    pub ranks: &'a LevelRanks,
    pub figures: &'a HashMap<AccountId, Figures>,
}

impl Ladder<'_> {
    fn stage_of(&self, id: AccountId) -> Option<&Stage> {
        stage_of(self.stages, self.figures.get(&id)?, self.ranks)
    }

    /// Who stands somewhere else now than before.
    pub fn moving(&self, before: &HashMap<AccountId, StandsOn>) -> Vec<AccountId> {
        let is_moving = |id: &AccountId| {
            before.get(id).and_then(|known| known.stage_id) != self.stage_of(*id).map(|stage| stage.id)
        };
        self.figures.keys().copied().filter(is_moving).collect()
    }

    /// Moves those of these buyers, who are locked, whose stage is another one now; how many. The figures are theirs.
    ///
    /// # Errors
    /// The database's.
    pub async fn climb(&self, conn: &mut Conn, buyers: &[Buyer], now: DateTime<Utc>) -> Result<usize> {
        let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
        let before = model::of(conn, &ids).await?;
        let changes = self.moving(&before).into_iter().map(|id| {
            let from = before.get(&id).and_then(|known| known.stage_id);
            let to = self.stage_of(id);
            NewStageChange {
                id: StageChangeId::new(),
                account_id: id,
                from_stage_id: from,
                to_stage_id: to.map(|stage| stage.id),
                why: self.why(id, from, to),
                created_at: now,
            }
        });
        let changes: Vec<_> = changes.collect();
        let count = changes.len();
        model::write(conn, changes, now).await?;
        Ok(count)
    }

    /// What was counted: of who went up for where he is now, of who went down for where he was.
    fn why(&self, id: AccountId, from: Option<StageId>, to: Option<&Stage>) -> Value {
        let from = self.stages.iter().find(|stage| Some(stage.id) == from);
        let higher = from.into_iter().chain(to).max_by_key(|stage| stage.rank);
        let progress = higher.zip(self.figures.get(&id));
        json!({
            "stage": higher.map(|stage| &stage.code),
            "criteria": higher.map(|stage| &stage.criteria),
            "progress": progress.map(|(stage, figures)| stage.criteria.progress(figures, self.ranks)),
        })
    }
}

/// # Errors
/// `invalid_field`, `code_taken`, `rank_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewStage) -> Result<Stage> {
    let now = app.clock.now();
    let created = db::transaction(&app.pool, async |conn| {
        if model::all(conn).await?.iter().filter(|stage| stage.archived_at.is_none()).count() >= STAGES_MAX {
            return Err(Code::InvalidField.at("code", format!("at most {STAGES_MAX}")));
        }
        let stage = Stage {
            id: StageId::new(),
            code: fields::slug("code", &new.code)?,
            rank: fields::within("rank", new.rank, 1, RANK_MAX)?,
            names: fields::names("names", &new.names)?,
            criteria: Criteria::checked("criteria", &new.criteria, Some(&levels::ranks(conn).await?))?,
            created_at: now,
            archived_at: None,
            version: 1,
        };
        model::insert(conn, &stage).await?;
        finish(conn, actor, "stage.create", &stage, now).await?;
        Ok(stage)
    });
    created.await
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `rank_taken`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: StageId,
    seen: IfMatch,
    change: StageChange,
) -> Result<Stage> {
    let now = app.clock.now();
    let names = fields::kept("names", change.names)?;
    let rank = fields::kept("rank", change.rank)?;
    let criteria = fields::kept("criteria", change.criteria)?;
    let changed = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let stage = Stage {
            names: names.as_ref().map_or(Ok(before.names), |names| fields::names("names", names))?,
            rank: rank.map_or(Ok(before.rank), |rank| fields::within("rank", rank, 1, RANK_MAX))?,
            criteria: match &criteria {
                None => before.criteria,
                Some(typed) => Criteria::checked("criteria", typed, Some(&levels::ranks(conn).await?))?,
            },
            version: before.version + 1,
            ..before
        };
        model::store(conn, &stage).await?;
        finish(conn, actor, "stage.change", &stage, now).await?;
        Ok(stage)
    });
    changed.await
}

/// Nobody stands on it any more, from the next walk on. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn archive(app: &App, actor: Actor, id: StageId) -> Result<Stage> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        let stage = Stage { archived_at: Some(now), version: before.version + 1, ..before };
        model::store(conn, &stage).await?;
        finish(conn, actor, "stage.archive", &stage, now).await?;
        Ok(stage)
    })
    .await
}

/// Writes what was done, and has everybody looked at by the rules as they are now.
async fn finish(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    stage: &Stage,
    now: DateTime<Utc>,
) -> Result<()> {
    walks::service::rules_changed(conn, now).await?;
    let entry = Entry {
        actor,
        action,
        subject_kind: "stage",
        subject_id: stage.id.to_string(),
        reason: None,
        detail: json!({ "code": stage.code, "rank": stage.rank, "criteria": stage.criteria }),
    };
    audit::record(conn, now, entry).await
}
