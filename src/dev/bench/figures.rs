//! What is told of a measurement: medians of rounds, and how far these lie apart.

use serde::Serialize;

use super::machine::Cores;

/// Two things measured in turn in the same run.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    pub name: &'static str,
    /// What it is a ratio of, in words.
    pub of: &'static str,
    /// What is to be reached.
    pub goal: Goal,
    pub rounds: Vec<Round>,
}

/// Above or below which a ratio is good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub fn is_reached_by(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(goal) => ratio >= goal,
            Self::AtMost(goal) => ratio <= goal,
        }
    }
}

/// One round: ours and what it is compared with, in the same unit.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Round {
    pub ours: f64,
    pub limit: f64,
    /// While ours was measured.
    pub cores: Cores,
}

/// The middle one and both ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Compared {
    pub fn ratio(&self) -> Spread {
        Spread::of(self.rounds.iter().map(|round| round.ours / round.limit.max(f64::MIN_POSITIVE)))
    }

    pub fn ours(&self) -> Spread {
        Spread::of(self.rounds.iter().map(|round| round.ours))
    }

    pub fn limit(&self) -> Spread {
        Spread::of(self.rounds.iter().map(|round| round.limit))
    }
}

impl Spread {
    /// Of an even number the mean of the two in the middle.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        let (half, last) = (sorted.len() / 2, sorted.len().saturating_sub(1));
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(at(half.saturating_sub(1)), at(half))
        } else {
            at(half)
        };
        Self { median, least: at(0), most: at(last) }
    }
}

/// As it is read: three figures that count.
pub fn readable(value: f64) -> String {
    let digits = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_counts() {
        let of = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(of(&[3.0, 1.0, 2.0]), Spread { median: 2.0, least: 1.0, most: 3.0 });
        assert_eq!(of(&[4.0, 1.0]), Spread { median: 2.5, least: 1.0, most: 4.0 });
        assert_eq!(of(&[]), Spread { median: 0.0, least: 0.0, most: 0.0 });
    }

    #[test]
    fn a_ratio_is_taken_in_each_round() {
        let round = |ours, limit| Round { ours, limit, cores: Cores::default() };
        let rounds = vec![round(50.0, 100.0), round(90.0, 100.0), round(20.0, 200.0)];
        let compared = Compared { name: "x", of: "y", goal: Goal::AtLeast(0.5), rounds };
        assert_eq!(compared.ratio(), Spread { median: 0.5, least: 0.1, most: 0.9 });
        assert!(compared.goal.is_reached_by(0.5) && !compared.goal.is_reached_by(0.49));
        assert!(Goal::AtMost(6.0).is_reached_by(6.0) && !Goal::AtMost(6.0).is_reached_by(6.1));
        assert_eq!(
            (readable(1234.5), readable(12.34), readable(0.567)),
            ("1234".into(), "12.3".into(), "0.57".into())
        );
    }
}
