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
}

/// Every field that a rule may have: serde lets those pass that a variant without fields doesn't know.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    who: Who,
    at_least: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Who {
    Everyone,
    SignedIn,
    Members,
    Tier,
}

impl TryFrom<Written> for Audience {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match (written.who, written.at_least) {
            (Who::Everyone, None) => Ok(Self::Everyone),
            (Who::SignedIn, None) => Ok(Self::SignedIn),
            (Who::Members, None) => Ok(Self::Members),
            (Who::Tier, Some(at_least)) => Ok(Self::Tier { at_least }),
            (Who::Tier, None) => Err("`tier` needs `at_least`"),
            (_, Some(_)) => Err("`at_least` goes with `tier`"),
        }
    }
}

/// Somebody who looks or buys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    pub is_signed_in: bool,
    /// Rank of the tier whose membership gives access now.
    pub tier_rank: Option<i32>,
}

/// Ranks of all tiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranks {
    by_code: HashMap<String, i32>,
    by_id: HashMap<TierId, i32>,
}

impl Ranks {
    pub fn new(tiers: impl IntoIterator<Item = (TierId, String, i32)>) -> Self {
        let mut ranks = Self::default();
        for (id, code, rank) in tiers {
            ranks.by_code.insert(code, rank);
            ranks.by_id.insert(id, rank);
        }
        ranks
    }

    pub fn of(&self, tier: TierId) -> Option<i32> {
        self.by_id.get(&tier).copied()
    }

    pub fn of_code(&self, code: &str) -> Option<i32> {
        self.by_code.get(code).copied()
    }
}

impl Audience {
    /// Is this visitor meant? A tier that isn't known means nobody.
    ///
    /// # Errors
    /// Why not: `unauthenticated`, `members_only`, `tier_required`.
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
        }
    }

    pub fn admits(&self, visitor: Visitor, ranks: &Ranks) -> bool {
        self.admit(visitor, ranks).is_ok()
    }

    /// The tier that it names, to be checked when an operator writes it.
    pub fn tier(&self) -> Option<&str> {
        match self {
            Self::Tier { at_least } => Some(at_least),
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
        let visitor = |is_signed_in, tier_rank| Visitor { is_signed_in, tier_rank };
        let (stranger, guest) = (visitor(false, None), visitor(true, None));
        let (regular, diehard) = (visitor(true, Some(10)), visitor(true, Some(20)));
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
        assert!(serde_json::from_str::<Audience>(r#"{"who":"everyone","at_least":"x"}"#).is_err());
    }
}
