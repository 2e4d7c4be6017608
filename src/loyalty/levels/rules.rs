//! Which level somebody has earned, and until when.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::loyalty::metrics::rules::{Criteria, Figures, LevelRanks, Measure};
use crate::types::id::LevelId;
use crate::types::locale::Names;
use crate::types::period::Term;
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where a review leads that a level isn't kept in.
    Drops {
        OneDown = "one_down",
        /// The highest below of which the criteria to keep it hold.
        ToFit = "to_fit",
    }
}

stored_enum! {
    /// What holders may do in their chapter.
    MemberRole {
        /// See its members, as an organiser who was approved does.
        Organiser = "organiser",
        /// Is asked to try things and to say how they are: the storefront goes by it.
        Reviewer = "reviewer",
    }
}

stored_enum! {
    /// By which criteria a level was judged last.
    JudgedBy {
        Enter = "enter",
        Keep = "keep",
        /// By none: it is what a review led to.
        Drop = "drop",
    }
}

stored_enum! {
    /// What a judgement came to.
    LevelChangeKind {
        Raised = "raised",
        /// At a review.
        Kept = "kept",
        /// Not kept at a review: judged once more when the grace is over.
        Grace = "grace",
        Dropped = "dropped",
        /// What it was reached by went back.
        Corrected = "corrected",
        /// An operator gave it.
        Manual = "manual",
        ManualEnded = "manual_ended",
    }
}

/// A level, as operators rule it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    pub id: LevelId,
    pub code: String,
    /// The higher the better.
    pub rank: i32,
    pub names: Names,
    /// None: only operators and tiers give it.
    pub enter: Option<Criteria>,
    /// None: those to enter.
    pub keep: Option<Criteria>,
    /// From the day on which it was reached.
    pub review: Term,
    /// None where it is 0.
    pub warn_days: i32,
    pub grace_days: i32,
    pub drops: Drops,
    /// Once a person.
    pub welcome_points: i64,
    pub role: Option<MemberRole>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl Level {
    /// Nobody reaches or keeps one that is archived.
    fn to_enter(&self) -> Option<&Criteria> {
        self.enter.as_ref().filter(|_| self.archived_at.is_none())
    }

    pub fn to_keep(&self) -> Option<&Criteria> {
        self.keep.as_ref().or(self.enter.as_ref()).filter(|_| self.archived_at.is_none())
    }

    /// What a judgement of it goes by.
    pub fn criteria(&self, by: JudgedBy) -> Option<&Criteria> {
        match by {
            JudgedBy::Enter => self.to_enter(),
            JudgedBy::Keep => self.to_keep(),
            JudgedBy::Drop => None,
        }
    }

    /// The first review after a moment.
    fn review_after(&self, since: DateTime<Utc>, after: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        let reviews = (1..).map_while(|nth| self.review.end_after(since, nth, zone));
        // Beyond the calendar nobody is there to see it.
        reviews.into_iter().find(|at| *at > after).unwrap_or(after + TimeDelta::days(36_500))
    }

    fn warn_at(&self, due_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (self.warn_days > 0).then(|| due_at - TimeDelta::days(self.warn_days.into()))
    }

    fn held(&self, at: DateTime<Utc>, by: JudgedBy, zone: Tz) -> Held {
        let due_at = self.review_after(at, at, zone);
        Held {
            level: self.id,
            since: at,
            judged_at: at,
            judged_by: by,
            due_at,
            in_grace: false,
            warn_at: self.warn_at(due_at),
        }
    }
}

/// A judgement that was made, as its history keeps it: rules may be other ones by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub level: LevelId,
    pub judged_at: DateTime<Utc>,
    /// What it went by.
    pub criteria: Criteria,
    /// Of who was raised: what he had before.
    pub before: Option<Held>,
}

/// The level that somebody has earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub level: LevelId,
    pub since: DateTime<Utc>,
    /// The last judgement that it rests on: as of when …
    pub judged_at: DateTime<Utc>,
    /// … and by which criteria.
    pub judged_by: JudgedBy,
    /// The next review, or the end of the grace.
    pub due_at: DateTime<Utc>,
    pub in_grace: bool,
    /// When a mail says what is missing; none: it went out, or there is none.
    pub warn_at: Option<DateTime<Utc>>,
}

/// What there is to reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    all: Vec<Level>,
}

impl Levels {
    pub fn new(mut all: Vec<Level>) -> Self {
        all.sort_by_key(|level| level.rank);
        Self { all }
    }

    /// From the lowest up, archived ones too.
    pub fn all(&self) -> &[Level] {
        &self.all
    }

    /// From the lowest up, without archived ones.
    pub fn open(&self) -> impl DoubleEndedIterator<Item = &Level> {
        self.all.iter().filter(|level| level.archived_at.is_none())
    }

    pub fn find(&self, id: LevelId) -> Option<&Level> {
        self.all.iter().find(|level| level.id == id)
    }

    /// What their criteria ask for, each measure once.
    pub fn measures(&self) -> Vec<Measure> {
        let mut measures = Vec::new();
        for criteria in self.all.iter().flat_map(|level| level.enter.iter().chain(level.keep.iter())) {
            criteria.measures(&mut measures);
        }
        measures
    }

    /// What of them is measured to find who reaches one.
    pub fn measures_to_enter(&self) -> Vec<Measure> {
        let mut measures = Vec::new();
        self.open().filter_map(|level| level.enter.as_ref()).for_each(|one| one.measures(&mut measures));
        measures
    }

    fn rank_of(&self, held: Option<&Held>) -> i32 {
        held.and_then(|held| self.find(held.level)).map_or(0, |level| level.rank)
    }

    /// The highest level that is reached now, where it is above what is held: up at once.
    pub fn raised(
        &self,
        held: Option<&Held>,
        figures: &Figures,
        (now, zone): (DateTime<Utc>, Tz),
    ) -> Option<Held> {
        let from = self.rank_of(held);
        let reached = self.open().rev().find(|level| is_met(level.to_enter(), figures))?;
        (reached.rank > from).then(|| reached.held(now, JudgedBy::Enter, zone))
    }

    /// A review, on its day: `figures` are those as of [`Held::due_at`].
    pub fn reviewed(&self, held: &Held, figures: &Figures, zone: Tz) -> (LevelChangeKind, Option<Held>) {
        let Some(level) = self.find(held.level) else { return (LevelChangeKind::Dropped, None) };
        let at = held.due_at;
        if is_met(level.to_keep(), figures) {
            let due_at = level.review_after(held.since, at, zone);
            let kept = Held {
                judged_at: at,
                judged_by: JudgedBy::Keep,
                due_at,
                in_grace: false,
                warn_at: level.warn_at(due_at),
                ..*held
            };
            return (LevelChangeKind::Kept, Some(kept));
        }
        if !held.in_grace && level.grace_days > 0 && level.archived_at.is_none() {
            let due_at = at + TimeDelta::days(level.grace_days.into());
            return (LevelChangeKind::Grace, Some(Held { due_at, in_grace: true, warn_at: None, ..*held }));
        }
        let mut below = self.open().rev().filter(|other| other.rank < level.rank);
        let (next, by) = match level.drops {
            Drops::OneDown => (below.next(), JudgedBy::Drop),
            Drops::ToFit => (below.find(|other| is_met(other.to_keep(), figures)), JudgedBy::Keep),
        };
        (LevelChangeKind::Dropped, next.map(|next| next.held(at, by, zone)))
    }

    /// Something went back: is the judgement that a level rests on still true, by what is left of what it went by? `figures` are
    /// those as of [`Held::judged_at`]. None where it is; else what is held instead: of who was raised by it what he had before, of
    /// who kept his level by it what that review leads to.
    pub fn corrected(
        &self,
        held: &Held,
        judgement: &Judgement,
        figures: &Figures,
        zone: Tz,
    ) -> Option<Option<Held>> {
        // What is in grace wasn't met anyway.
        if held.in_grace || judgement.criteria.is_met(figures, &LevelRanks::new()) {
            return None;
        }
        let instead = match held.judged_by {
            JudgedBy::Enter => judgement.before,
            JudgedBy::Keep => {
                let reviewed = Held { due_at: held.judged_at, in_grace: true, ..*held };
                self.reviewed(&reviewed, figures, zone).1
            }
            JudgedBy::Drop => return None,
        };
        (instead.map(|held| held.level) != Some(held.level)).then_some(instead)
    }
}

fn is_met(criteria: Option<&Criteria>, figures: &Figures) -> bool {
    criteria.is_some_and(|criteria| criteria.is_met(figures, &LevelRanks::new()))
}

#[cfg(test)]
mod tests;
