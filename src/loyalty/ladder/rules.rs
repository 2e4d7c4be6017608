//! On which stage somebody stands.

use chrono::{DateTime, Utc};

use crate::loyalty::metrics::rules::{Criteria, Figures, LevelRanks, Measure};
use crate::types::id::StageId;
use crate::types::locale::Names;

/// A rung of the ladder, as operators rule it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    pub id: StageId,
    pub code: String,
    /// The higher the closer.
    pub rank: i32,
    pub names: Names,
    pub criteria: Criteria,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

/// What their criteria ask for, each measure once.
pub fn measures(stages: &[Stage], into: &mut Vec<Measure>) {
    open(stages).for_each(|stage| stage.criteria.measures(into));
}

fn open(stages: &[Stage]) -> impl Iterator<Item = &Stage> {
    stages.iter().filter(|stage| stage.archived_at.is_none())
}

/// The highest whose criteria are met; none where no one's are.
pub fn stage_of<'a>(stages: &'a [Stage], figures: &Figures, levels: &LevelRanks) -> Option<&'a Stage> {
    open(stages).filter(|stage| stage.criteria.is_met(figures, levels)).max_by_key(|stage| stage.rank)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::loyalty::metrics::rules::Metric;

    #[test]
    fn the_highest_that_holds_counts_and_archived_ones_dont() {
        let stage = |code: &str, rank, orders: i64| Stage {
            id: StageId::new(),
            code: code.to_owned(),
            rank,
            names: Names::new(code, code),
            criteria: serde_json::from_value(json!({ "metric": "orders", "amount": orders })).unwrap(),
            created_at: DateTime::UNIX_EPOCH,
            archived_at: None,
            version: 1,
        };
        let mut stages = [stage("user", 20, 2), stage("friend", 40, 4), stage("customer", 10, 1)];
        let measure = Measure { metric: Metric::Orders, window: None };
        let mut asked = Vec::new();
        measures(&stages, &mut asked);
        assert_eq!(asked, [measure]);
        let of = |stages: &[Stage], orders| {
            let figures = Figures { counted: vec![(measure, orders)], level_rank: None };
            stage_of(stages, &figures, &LevelRanks::new()).map(|stage| stage.code.clone())
        };
        let found: Vec<_> = (0..=5).map(|orders| of(&stages, orders)).collect();
        let named = |code: &str| Some(code.to_owned());
        let user = named("user");
        assert_eq!(
            found,
            [None, named("customer"), user.clone(), user.clone(), named("friend"), named("friend")]
        );
        stages[1].archived_at = Some(DateTime::UNIX_EPOCH);
        assert_eq!(of(&stages, 5), user);
    }
}
