//! What makes a measure, and what an appeal may do.

use chrono::{DateTime, Utc};

use super::model::{AppealState, Kind, Measure, PaidLine, State};
use crate::error::{Code, Result};
use crate::fields;
use crate::membership::community::model::MoneyRule;
use crate::types::id::{LineId, TermId};

/// A suspension lasts that many days at most.
pub const DAYS_MAX: i64 = 365;

/// A measure that an operator wants to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    Warning,
    /// For so many days.
    Suspension(i64),
    /// None: as the rules of the community promise.
    Expulsion(Option<MoneyRule>),
}

/// A suspension says for how long, an expulsion may say what becomes of the money; nothing else does.
///
/// # Errors
/// `invalid_field`
pub fn taking(kind: Kind, days: Option<i64>, money: Option<MoneyRule>) -> Result<Taking> {
    let needless = |field: &str| Err(Code::InvalidField.at(field, format!("a {} has none", kind.as_str())));
    match (kind, days, money) {
        (Kind::Warning, None, None) => Ok(Taking::Warning),
        (Kind::Suspension, Some(days), None) => {
            Ok(Taking::Suspension(fields::within("days", days, 1, DAYS_MAX)?))
        }
        (Kind::Expulsion, None, money) => Ok(Taking::Expulsion(money)),
        (Kind::Suspension, None, _) => Err(Code::InvalidField.at("days", "missing field")),
        (Kind::Warning | Kind::Expulsion, Some(_), _) => needless("days"),
        (Kind::Warning | Kind::Suspension, _, Some(_)) => needless("money"),
    }
}

impl Taking {
    pub fn kind(self) -> Kind {
        match self {
            Self::Warning => Kind::Warning,
            Self::Suspension(_) => Kind::Suspension,
            Self::Expulsion(_) => Kind::Expulsion,
        }
    }
}

/// How much a rule gives back: the more the later.
fn kindness(rule: MoneyRule) -> u8 {
    match rule {
        MoneyRule::None => 0,
        MoneyRule::Rest => 1,
        MoneyRule::All => 2,
    }
}

/// The rule for the money of an expulsion: what the versions of the rules that count for the member promise (`stated`), the
/// kindest of them, or more where the operator wants it.
///
/// # Errors
/// `invalid_field` for less than they promise.
pub fn money_rule(asked: Option<MoneyRule>, stated: &[MoneyRule]) -> Result<MoneyRule> {
    let least = stated.iter().copied().max_by_key(|rule| kindness(*rule)).unwrap_or(MoneyRule::None);
    let rule = asked.unwrap_or(least);
    if kindness(rule) < kindness(least) {
        let why = format!("the rules of the community promise `{}`", least.as_str());
        return Err(Code::InvalidField.at("money", why));
    }
    Ok(rule)
}

/// What goes back of which line by the rule, given the terms that aren't over with what each is still worth, and the lines
/// that paid for them: each term's own before those it was credited with. Of a line never more than hasn't gone back.
pub fn money_back(rule: MoneyRule, terms: &[(TermId, i64)], lines: &[PaidLine]) -> Vec<(LineId, i64)> {
    let mut back = Vec::new();
    for (term, worth_minor) in terms {
        let mut left_minor = match rule {
            MoneyRule::None => 0,
            MoneyRule::Rest => *worth_minor,
            MoneyRule::All => i64::MAX,
        };
        for line in lines.iter().filter(|line| line.term == *term) {
            let part_minor = line.left_minor.min(left_minor);
            left_minor -= part_minor;
            back.extend((part_minor > 0).then_some((line.line, part_minor)));
        }
    }
    back
}

/// One appeals once and in time, against what wasn't lifted; also against a suspension that is over.
///
/// # Errors
/// `measure_ended`, `already_appealed`, `appeal_too_late`
pub fn may_appeal(measure: &Measure, now: DateTime<Utc>) -> Result<(), Code> {
    if measure.appeal_state.is_some() {
        Err(Code::AlreadyAppealed)
    } else if measure.state == State::Lifted {
        Err(Code::MeasureEnded)
    } else if measure.appeal_until <= now {
        Err(Code::AppealTooLate)
    } else {
        Ok(())
    }
}

/// An operator may uphold what was appealed against, once.
///
/// # Errors
/// `no_appeal`
pub fn may_uphold(measure: &Measure) -> Result<(), Code> {
    if measure.appeal_state == Some(AppealState::Open) { Ok(()) } else { Err(Code::NoAppeal) }
}

/// An operator may lift what is in force, and what was appealed against when it was over.
///
/// # Errors
/// `measure_ended`
pub fn may_lift(measure: &Measure) -> Result<(), Code> {
    let is_open = measure.appeal_state == Some(AppealState::Open);
    match measure.state {
        State::InForce => Ok(()),
        State::Over if is_open => Ok(()),
        State::Over | State::Lifted => Err(Code::MeasureEnded),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::types::id::{AccountId, MeasureId, MembershipId};

    fn until() -> DateTime<Utc> {
        "2026-11-30T00:00:00Z".parse().unwrap()
    }

    fn measure(state: State, appeal_state: Option<AppealState>) -> Measure {
        Measure {
            id: MeasureId::new(),
            account_id: AccountId::new(),
            membership_id: MembershipId::new(),
            kind: Kind::Suspension,
            version: "1".to_owned(),
            rule: "§ 2".to_owned(),
            reason: "Rude.".to_owned(),
            money: None,
            back_minor: None,
            ends_at: None,
            state,
            taken_by: None,
            created_at: DateTime::default(),
            appeal_until: until(),
            ended_at: None,
            appeal: None,
            appealed_at: None,
            appeal_state,
            decision: None,
            decided_at: None,
        }
    }

    #[test]
    fn each_kind_says_what_it_needs_and_nothing_else() {
        let ok = |kind, days, money| taking(kind, days, money).ok();
        let keep = Some(MoneyRule::None);
        assert_eq!(ok(Kind::Warning, None, None), Some(Taking::Warning));
        assert_eq!(ok(Kind::Suspension, Some(1), None), Some(Taking::Suspension(1)));
        assert_eq!(ok(Kind::Suspension, Some(365), None), Some(Taking::Suspension(365)));
        assert_eq!(ok(Kind::Expulsion, None, keep), Some(Taking::Expulsion(keep)));
        assert_eq!(ok(Kind::Expulsion, None, None), Some(Taking::Expulsion(None)));
        for (kind, days, money) in [
            (Kind::Warning, Some(1), None),
            (Kind::Warning, None, keep),
            (Kind::Suspension, None, None),
            (Kind::Suspension, Some(0), None),
            (Kind::Suspension, Some(366), None),
            (Kind::Suspension, Some(3), keep),
            (Kind::Expulsion, Some(3), keep),
        ] {
            assert_eq!(taking(kind, days, money).unwrap_err().code, Code::InvalidField, "{kind:?} {days:?}");
        }
    }

    #[test]
    fn an_operator_may_be_kinder_than_the_rules_and_never_harder() {
        use MoneyRule::{All, None as Keep, Rest};
        let of = |asked, stated: &[MoneyRule]| money_rule(asked, stated).ok();
        assert_eq!(of(None, &[]), Some(Keep));
        assert_eq!(of(None, &[Rest]), Some(Rest));
        // Of the version in force and the one that the member accepted, the kinder one.
        assert_eq!((of(None, &[Keep, All]), of(None, &[All, Keep])), (Some(All), Some(All)));
        assert_eq!((of(Some(All), &[Rest]), of(Some(Rest), &[Rest])), (Some(All), Some(Rest)));
        assert_eq!((of(Some(Keep), &[Rest]), of(Some(Rest), &[Keep, All])), (None, None));
    }

    #[test]
    fn the_rest_goes_back_by_the_terms_own_line_first_and_all_by_every_line() {
        let (one, two) = (TermId::new(), TermId::new());
        let [upgraded, credited, older, extended] = std::array::from_fn(|_| LineId::new());
        let line = |term, line, left_minor| PaidLine { term, line, left_minor, refunded_minor: 0 };
        let lines = [
            line(one, upgraded, 800),
            line(one, credited, 200),
            line(one, older, 0),
            line(two, extended, 500),
        ];
        let back = |rule, worth| money_back(rule, &[(one, worth), (two, 500)], &lines);
        assert_eq!(back(MoneyRule::None, 900), []);
        assert_eq!(back(MoneyRule::Rest, 800), [(upgraded, 800), (extended, 500)]);
        assert_eq!(back(MoneyRule::Rest, 801), [(upgraded, 800), (credited, 1), (extended, 500)]);
        // Worth more than what is left of the lines: what is left.
        assert_eq!(back(MoneyRule::Rest, 1_500), [(upgraded, 800), (credited, 200), (extended, 500)]);
        assert_eq!(back(MoneyRule::All, 1), [(upgraded, 800), (credited, 200), (extended, 500)]);
        assert_eq!(money_back(MoneyRule::All, &[(two, 0)], &lines), [(extended, 500)]);
        assert_eq!(money_back(MoneyRule::All, &[], &lines), []);
    }

    #[test]
    fn one_appeals_once_and_an_operator_decides_once() {
        let appeal = |measure: &Measure| may_appeal(measure, until() - TimeDelta::seconds(1));
        let (fresh, over) = (measure(State::InForce, None), measure(State::Over, None));
        assert_eq!((appeal(&fresh), appeal(&over)), (Ok(()), Ok(())));
        assert_eq!(may_appeal(&fresh, until()), Err(Code::AppealTooLate));
        assert_eq!((may_uphold(&fresh), may_lift(&fresh)), (Err(Code::NoAppeal), Ok(())));
        assert_eq!(may_lift(&over), Err(Code::MeasureEnded));
        let open = measure(State::InForce, Some(AppealState::Open));
        assert_eq!(appeal(&open), Err(Code::AlreadyAppealed));
        assert_eq!((may_uphold(&open), may_lift(&open)), (Ok(()), Ok(())));
        assert_eq!(may_lift(&measure(State::Over, Some(AppealState::Open))), Ok(()));
        let upheld = measure(State::InForce, Some(AppealState::Upheld));
        assert_eq!((appeal(&upheld), may_uphold(&upheld)), (Err(Code::AlreadyAppealed), Err(Code::NoAppeal)));
        assert_eq!(may_lift(&upheld), Ok(()));
        let lifted = measure(State::Lifted, None);
        assert_eq!((appeal(&lifted), may_lift(&lifted)), (Err(Code::MeasureEnded), Err(Code::MeasureEnded)));
    }
}
