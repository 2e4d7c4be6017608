//! Who is meant: the rule by which a thing is shown, sold, priced or sold earlier to some and not to others.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::Code;
use crate::types::id::TierId;

/// A group of people, as an operator writes it: `{"who": "everyone"}`, `{"who": "tier", "at_least": "diehard"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "who", rename_all = "snake_case", try_from = "Written")]
pub enum Audience {
    Everyone,
    /// Who is signed in.
    SignedIn,
    /// Who has a membership that gives access now, of any tier.
    Members,
    /// Who has one of that tier or of a tier that ranks higher.
    Tier {
        /// The tier's code.
        at_least: String,
    },
    /// Who stands on that level or a higher one now.
    Level {
        /// The level's code.
        at_least: String,
    },
    /// Who is in a segment now.
    Segment {
        /// The segment's code.
        segment: String,
    },
}

/// Every field that a rule may have: serde lets those pass that a variant without fields doesn't know.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    who: Who,
    at_least: Option<String>,
    segment: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Who {
    Everyone,
    SignedIn,
    Members,
    Tier,
    Level,
    Segment,
}

impl TryFrom<Written> for Audience {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match (written.who, written.at_least, written.segment) {
            (Who::Everyone, None, None) => Ok(Self::Everyone),
            (Who::SignedIn, None, None) => Ok(Self::SignedIn),
            (Who::Members, None, None) => Ok(Self::Members),
            (Who::Tier, Some(at_least), None) => Ok(Self::Tier { at_least }),
            (Who::Level, Some(at_least), None) => Ok(Self::Level { at_least }),
            (Who::Segment, None, Some(segment)) => Ok(Self::Segment { segment }),
            (Who::Tier | Who::Level, None, _) => Err("`tier` and `level` need `at_least`"),
            (Who::Segment, _, None) => Err("`segment` needs `segment`"),
            (_, Some(_), _) => Err("`at_least` goes with `tier` or `level`"),
            (_, _, Some(_)) => Err("`segment` goes with `segment`"),
        }
    }
}

/// Somebody who looks or buys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visitor<'a> {
    pub is_signed_in: bool,
    /// Rank of the tier whose membership gives access now.
    pub tier_rank: Option<i32>,
    /// Rank of the level on which he stands.
    pub level_rank: Option<i32>,
    /// Codes of the segments that he is in, of those that were asked for.
    pub segments: &'a [String],
}

/// Ranks of all tiers and levels, archived ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranks {
    by_code: HashMap<String, i32>,
    by_id: HashMap<TierId, (String, i32)>,
    levels: HashMap<String, i32>,
}

impl Ranks {
    pub fn new(tiers: impl IntoIterator<Item = (TierId, String, i32)>) -> Self {
        let mut ranks = Self::default();
        for (id, code, rank) in tiers {
            ranks.by_code.insert(code.clone(), rank);
            ranks.by_id.insert(id, (code, rank));
        }
        ranks
    }

    pub fn with_levels(self, levels: HashMap<String, i32>) -> Self {
        Self { levels, ..self }
    }

    /// Is there a level that anybody could stand on?
    pub fn has_levels(&self) -> bool {
        !self.levels.is_empty()
    }

    pub fn of_level(&self, code: &str) -> Option<i32> {
        self.levels.get(code).copied()
    }

    pub fn of(&self, tier: TierId) -> Option<i32> {
        self.by_id.get(&tier).map(|(_, rank)| *rank)
    }

    /// The code of a tier.
    pub fn code_of(&self, tier: TierId) -> Option<&str> {
        self.by_id.get(&tier).map(|(code, _)| code.as_str())
    }

    pub fn of_code(&self, code: &str) -> Option<i32> {
        self.by_code.get(code).copied()
    }
}

impl Audience {
    /// Is this visitor meant? A tier, a level or a segment that isn't known means nobody.
    ///
    /// # Errors
    /// Why not: `unauthenticated`, `members_only`, `tier_required`, `level_required`, `segment_required`.
    pub fn admit(&self, visitor: Visitor, ranks: &Ranks) -> Result<(), Code> {
        match self {
            Self::Everyone => Ok(()),
            _ if !visitor.is_signed_in => Err(Code::Unauthenticated),
            Self::SignedIn => Ok(()),
            Self::Members if visitor.tier_rank.is_some() => Ok(()),
            Self::Members => Err(Code::MembersOnly),
            Self::Tier { at_least } => match (visitor.tier_rank, ranks.of_code(at_least)) {
                (Some(rank), Some(asked)) if rank >= asked => Ok(()),
                (None, _) => Err(Code::MembersOnly),
                _ => Err(Code::TierRequired),
            },
            Self::Level { at_least } => match (visitor.level_rank, ranks.of_level(at_least)) {
                (Some(rank), Some(asked)) if rank >= asked => Ok(()),
                _ => Err(Code::LevelRequired),
            },
            Self::Segment { segment } if visitor.segments.contains(segment) => Ok(()),
            Self::Segment { .. } => Err(Code::SegmentRequired),
        }
    }

    pub fn admits(&self, visitor: Visitor, ranks: &Ranks) -> bool {
        self.admit(visitor, ranks).is_ok()
    }

    /// The segment that it names.
    pub fn segment(&self) -> Option<&str> {
        match self {
            Self::Segment { segment } => Some(segment),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_says_who_is_missing_what() {
        let ranks = Ranks::new([
            (TierId::new(), "regular".to_owned(), 10),
            (TierId::new(), "diehard".to_owned(), 20),
        ]);
        let teachers = ["teachers".to_owned()];
        let ranks = ranks.with_levels(HashMap::from([("gold".to_owned(), 3)]));
        let visitor = |is_signed_in, tier_rank| Visitor { is_signed_in, tier_rank, ..Visitor::default() };
        let (stranger, guest) = (visitor(false, None), visitor(true, None));
        let regular = Visitor { segments: &teachers, ..visitor(true, Some(10)) };
        let diehard = Visitor { level_rank: Some(3), ..visitor(true, Some(20)) };
        let level = |code: &str| Audience::Level { at_least: code.to_owned() };
        let no_level = Err(Code::LevelRequired);
        let segment = |code: &str| Audience::Segment { segment: code.to_owned() };
        let not_in = Err(Code::SegmentRequired);
        let tier = |code: &str| Audience::Tier { at_least: code.to_owned() };
        for (audience, expected) in [
            (Audience::Everyone, [Ok(()), Ok(()), Ok(()), Ok(())]),
            (Audience::SignedIn, [Err(Code::Unauthenticated), Ok(()), Ok(()), Ok(())]),
            (Audience::Members, [Err(Code::Unauthenticated), Err(Code::MembersOnly), Ok(()), Ok(())]),
            (tier("regular"), [Err(Code::Unauthenticated), Err(Code::MembersOnly), Ok(()), Ok(())]),
            (
                tier("diehard"),
                [Err(Code::Unauthenticated), Err(Code::MembersOnly), Err(Code::TierRequired), Ok(())],
            ),
            (level("gold"), [Err(Code::Unauthenticated), no_level, no_level, Ok(())]),
            (level("gone"), [Err(Code::Unauthenticated), no_level, no_level, no_level]),
            (segment("teachers"), [Err(Code::Unauthenticated), not_in, Ok(()), not_in]),
            (
                tier("gone"),
                [
                    Err(Code::Unauthenticated),
                    Err(Code::MembersOnly),
                    Err(Code::TierRequired),
                    Err(Code::TierRequired),
                ],
            ),
        ] {
            let found = [stranger, guest, regular, diehard].map(|visitor| audience.admit(visitor, &ranks));
            assert_eq!(found, expected, "{audience:?}");
        }
    }

    #[test]
    fn it_reads_as_it_is_written() {
        let text = r#"{"who":"tier","at_least":"diehard"}"#;
        let read: Audience = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        let text = r#"{"who":"segment","segment":"teachers"}"#;
        let read: Audience = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        for wrong in [
            r#"{"who":"everyone","at_least":"x"}"#,
            r#"{"who":"tier"}"#,
            r#"{"who":"level"}"#,
            r#"{"who":"level","segment":"x"}"#,
            r#"{"who":"tier","at_least":"x","segment":"y"}"#,
            r#"{"who":"segment"}"#,
            r#"{"who":"members","segment":"x"}"#,
        ] {
            assert!(serde_json::from_str::<Audience>(wrong).is_err(), "{wrong}");
        }
    }
}
