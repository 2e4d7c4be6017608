//! Criteria: which figures somebody has to reach. They are data; what they ask for is measured by `model.rs`, all of it at once.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Code, Result};
use crate::types::period::Term;
use crate::types::stored::stored_enum;

/// Criteria within criteria.
const DEPTH_MAX: usize = 4;
/// Criteria of one rule, the inner ones too.
const CRITERIA_MAX: usize = 20;
/// Amounts beyond it are slips of the keyboard.
const AMOUNT_MAX: i64 = 1_000_000_000_000;
/// The word for a level of any rank.
const ANY_LEVEL: &str = "any";

stored_enum! {
    /// What is counted of an account.
    Metric {
        /// Money and store credit paid for orders and not sent back, in minor units.
        Spend = "spend",
        /// Points that count for levels, from when they no longer are pending.
        LevelPoints = "level_points",
        /// Orders that were paid for and of which something stands.
        Orders = "orders",
        /// Friends brought, for whom the reward was given.
        Referrals = "referrals",
        /// Whole days of membership, of any tier, without those that it was frozen.
        Tenure = "tenure",
        /// Days on which somebody checked in.
        CheckIns = "check_ins",
    }
}

/// A metric, over the last so much time; ever, without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    pub metric: Metric,
    pub window: Option<Term>,
}

/// `{"any": [{"metric": "spend", "amount": 200000, "window": "P1Y"}, {"all": […]}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Criteria {
    All(Vec<Criteria>),
    Any(Vec<Criteria>),
    Reached {
        measure: Measure,
        amount: i64,
    },
    /// Stands on this level or one above; none: on any.
    Level(Option<String>),
}

/// As they are written: one of `all`, `any`, `metric`, `level`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Criteria>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Criteria>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<Metric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<String>,
}

impl TryFrom<Written> for Criteria {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { all, any, metric, amount, window, level } = written;
        match (all, any, metric, level, amount) {
            (Some(inner), None, None, None, None) if window.is_none() => Ok(Self::All(inner)),
            (None, Some(inner), None, None, None) if window.is_none() => Ok(Self::Any(inner)),
            (None, None, None, Some(level), None) if window.is_none() => {
                Ok(Self::Level(Some(level).filter(|level| level != ANY_LEVEL)))
            }
            (None, None, Some(metric), None, Some(amount)) => {
                let window = window.map(|window| window.parse().map_err(|_| no_window())).transpose()?;
                Ok(Self::Reached { measure: Measure { metric, window }, amount })
            }
            _ => Err("expected one of all, any, level, or metric with its amount".to_owned()),
        }
    }
}

fn no_window() -> String {
    "expected a period such as P1Y, P90D".to_owned()
}

impl From<Criteria> for Written {
    fn from(criteria: Criteria) -> Self {
        match criteria {
            Criteria::All(inner) => Self { all: Some(inner), ..Self::default() },
            Criteria::Any(inner) => Self { any: Some(inner), ..Self::default() },
            Criteria::Level(level) => {
                Self { level: Some(level.unwrap_or_else(|| ANY_LEVEL.to_owned())), ..Self::default() }
            }
            Criteria::Reached { measure, amount } => Self {
                metric: Some(measure.metric),
                amount: Some(amount),
                window: measure.window.map(|window| window.to_string()),
                ..Self::default()
            },
        }
    }
}

/// What was counted of somebody, by measure, and the rank of the level that he stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub counted: Vec<(Measure, i64)>,
    pub level_rank: Option<i32>,
}

impl Figures {
    /// What wasn't measured is nothing.
    pub fn of(&self, measure: Measure) -> i64 {
        self.counted.iter().find(|(known, _)| *known == measure).map_or(0, |(_, counted)| *counted)
    }
}

/// One of the criteria, beside what was counted for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CriterionProgress)]
pub struct Progress {
    /// Null: it asks for a level.
    pub metric: Option<Metric>,
    /// Counted over the last so much time; null: ever.
    #[schema(example = "P1Y")]
    pub window: Option<String>,
    /// Of `spend` in minor units.
    pub needed: i64,
    pub have: i64,
    pub missing: i64,
    pub met: bool,
}

/// Ranks of levels by their codes.
pub type LevelRanks = std::collections::HashMap<String, i32>;

impl Criteria {
    /// Criteria that operators wrote. Levels may be asked for where `levels` knows them; where it is none, they may not.
    ///
    /// # Errors
    /// `invalid_field`
    pub fn checked(field: &str, typed: &Value, levels: Option<&LevelRanks>) -> Result<Self> {
        let criteria: Self = serde_json::from_value(typed.clone())
            .map_err(|error| Code::InvalidField.at(field, error.to_string()))?;
        let mut count = 0;
        criteria.check(field, levels, 1, &mut count)?;
        Ok(criteria)
    }

    fn check(&self, field: &str, levels: Option<&LevelRanks>, depth: usize, count: &mut usize) -> Result<()> {
        let wrong = |detail: &str| Err(Code::InvalidField.at(field, detail));
        *count += 1;
        if depth > DEPTH_MAX || *count > CRITERIA_MAX {
            return wrong(&format!("expected at most {CRITERIA_MAX} criteria, {DEPTH_MAX} deep"));
        }
        match self {
            Self::All(inner) | Self::Any(inner) if inner.is_empty() => wrong("all and any need a criterion"),
            Self::All(inner) | Self::Any(inner) => {
                inner.iter().try_for_each(|one| one.check(field, levels, depth + 1, count))
            }
            Self::Reached { amount, .. } if !(1..=AMOUNT_MAX).contains(amount) => {
                wrong(&format!("expected an amount from 1 to {AMOUNT_MAX}"))
            }
            Self::Reached { measure: Measure { window: Some(Term::Lifetime), .. }, .. } => {
                wrong(&no_window())
            }
            Self::Reached { measure: Measure { metric: Metric::Tenure, window: Some(_) }, .. } => {
                wrong("tenure has no window")
            }
            Self::Reached { .. } => Ok(()),
            Self::Level(level) => match (levels, level) {
                (None, _) => wrong("a level can't be asked for here"),
                (Some(levels), Some(code)) if !levels.contains_key(code) => {
                    wrong(&format!("there is no level {code}"))
                }
                _ => Ok(()),
            },
        }
    }

    /// Adds what is to be measured, each measure once.
    pub fn measures(&self, into: &mut Vec<Measure>) {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().for_each(|one| one.measures(into)),
            Self::Reached { measure, .. } if !into.contains(measure) => into.push(*measure),
            Self::Reached { .. } | Self::Level(_) => {}
        }
    }

    pub fn is_met(&self, by: &Figures, levels: &LevelRanks) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|one| one.is_met(by, levels)),
            Self::Any(inner) => inner.iter().any(|one| one.is_met(by, levels)),
            Self::Reached { measure, amount } => by.of(*measure) >= *amount,
            Self::Level(level) => by.level_rank.is_some_and(|rank| rank >= needed_rank(level, levels)),
        }
    }

    /// Each of the criteria beside what was counted for it, in the order in which they are written.
    pub fn progress(&self, by: &Figures, levels: &LevelRanks) -> Vec<Progress> {
        match self {
            Self::All(inner) | Self::Any(inner) => {
                inner.iter().flat_map(|one| one.progress(by, levels)).collect()
            }
            Self::Reached { measure, amount } => {
                let window = measure.window.map(|window| window.to_string());
                vec![Progress::new(Some(measure.metric), window, *amount, by.of(*measure))]
            }
            Self::Level(level) => {
                let needed = needed_rank(level, levels);
                vec![Progress::new(None, None, needed.into(), by.level_rank.unwrap_or(0).into())]
            }
        }
    }
}

fn needed_rank(level: &Option<String>, levels: &LevelRanks) -> i32 {
    match level {
        None => 1,
        // A level that is gone is nobody's.
        Some(code) => levels.get(code).copied().unwrap_or(i32::MAX),
    }
}

impl Progress {
    fn new(metric: Option<Metric>, window: Option<String>, needed: i64, have: i64) -> Self {
        let missing = needed.saturating_sub(have).max(0);
        Self { metric, window, needed, have, missing, met: missing == 0 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: Value) -> Criteria {
        serde_json::from_value(text).unwrap()
    }

    fn spend(window: &str) -> Measure {
        Measure { metric: Metric::Spend, window: Some(window.parse().unwrap()) }
    }

    #[test]
    fn they_read_as_they_are_written() {
        let text = json!({ "any": [
            { "metric": "spend", "amount": 200_000, "window": "P1Y" },
            { "all": [{ "metric": "orders", "amount": 2 }, { "level": "gold" }, { "level": "any" }] },
        ] });
        let criteria = read(text.clone());
        assert_eq!(serde_json::to_value(&criteria).unwrap(), text);
        for wrong in [
            json!({}),
            json!({ "metric": "spend" }),
            json!({ "metric": "speed", "amount": 1 }),
            json!({ "metric": "spend", "amount": 1, "window": "1Y" }),
            json!({ "all": [], "any": [] }),
            json!({ "level": "gold", "amount": 1 }),
            json!({ "all": [{ "level": "gold" }], "window": "P1Y" }),
            json!({ "metric": "spend", "amount": 1, "than": 2 }),
        ] {
            assert!(serde_json::from_value::<Criteria>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn they_have_bounds() {
        let levels = LevelRanks::from([("gold".to_owned(), 30)]);
        let is_fine = |text: Value| Criteria::checked("enter", &text, Some(&levels)).is_ok();
        let metric = |amount: i64| json!({ "metric": "orders", "amount": amount });
        assert!(is_fine(metric(1)) && is_fine(metric(AMOUNT_MAX)));
        assert!(!is_fine(metric(0)) && !is_fine(metric(-1)) && !is_fine(metric(AMOUNT_MAX + 1)));
        let nested = |depth: usize| (1..depth).fold(metric(1), |inner, _| json!({ "all": [inner] }));
        assert!(is_fine(nested(DEPTH_MAX)) && !is_fine(nested(DEPTH_MAX + 1)));
        let wide = |count: usize| json!({ "any": vec![metric(1); count] });
        assert!(is_fine(wide(CRITERIA_MAX - 1)) && !is_fine(wide(CRITERIA_MAX)) && !is_fine(wide(0)));
        assert!(is_fine(json!({ "metric": "tenure", "amount": 365 })));
        assert!(!is_fine(json!({ "metric": "tenure", "amount": 365, "window": "P1Y" })));
        assert!(!is_fine(json!({ "metric": "spend", "amount": 1, "window": "lifetime" })));
        assert!(is_fine(json!({ "level": "gold" })) && is_fine(json!({ "level": "any" })));
        assert!(!is_fine(json!({ "level": "iron" })));
        assert!(Criteria::checked("enter", &json!({ "level": "any" }), None).is_err());
    }

    #[test]
    fn what_is_missing_is_told() {
        let criteria = read(json!({ "any": [
            { "metric": "spend", "amount": 200_000, "window": "P1Y" },
            { "all": [{ "metric": "orders", "amount": 2 }, { "level": "gold" }] },
        ] }));
        let orders = Measure { metric: Metric::Orders, window: None };
        let mut measures = Vec::new();
        criteria.measures(&mut measures);
        criteria.measures(&mut measures);
        assert_eq!(measures, [spend("P1Y"), orders]);
        let levels = LevelRanks::from([("gold".to_owned(), 30)]);
        let by = |minor: i64, count: i64, level_rank: Option<i32>| Figures {
            counted: vec![(spend("P1Y"), minor), (orders, count), (spend("P2Y"), i64::MAX)],
            level_rank,
        };
        let is_met = |figures: &Figures| criteria.is_met(figures, &levels);
        assert!(is_met(&by(200_000, 0, None)) && !is_met(&by(199_999, 2, Some(29))));
        assert!(is_met(&by(0, 2, Some(30))) && !is_met(&by(0, 1, Some(30))) && !is_met(&by(0, 2, None)));
        let missing: Vec<_> =
            criteria.progress(&by(150_000, 3, Some(20)), &levels).iter().map(|one| one.missing).collect();
        assert_eq!(missing, [50_000, 0, 10]);
        assert!(!is_met(&Figures::default()));
        // Beyond 64 bits there is nothing.
        let least = criteria.progress(&by(i64::MIN, 0, None), &levels);
        assert_eq!(least.first().unwrap().missing, i64::MAX);
    }
}
