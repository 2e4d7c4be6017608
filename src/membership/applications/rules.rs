//! What an application gives the right to.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Application, State};
use crate::error::{Code, Result};
use crate::fields;
use crate::membership::drives::model::{Admission, Drive};
use crate::membership::drives::rules as drives;
use crate::types::text;

/// May who applied buy now?
///
/// # Errors
/// `application_required` without an approved one, `right_to_buy_expired`.
pub fn may_buy(application: Option<&Application>, now: DateTime<Utc>) -> Result<(), Code> {
    let approved = application.filter(|application| application.state == State::Approved);
    match approved.ok_or(Code::ApplicationRequired)?.buy_until {
        Some(until) if now < until => Ok(()),
        Some(_) | None => Err(Code::RightToBuyExpired),
    }
}

/// Answers are for an operator to read, not for storing files.
const MOST_ANSWERS: usize = 20;

/// # Errors
/// `invalid_field`: too many answers, a question or an answer that is too long.
pub fn answers(typed: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    if typed.len() > MOST_ANSWERS {
        return Err(Code::InvalidField.at("answers", format!("at most {MOST_ANSWERS}")));
    }
    let mut checked = BTreeMap::new();
    for (question, answer) in typed {
        let key = fields::line("answers", question, 100)?;
        let field = format!("answers.{key}");
        let answer =
            text::block(answer, 2_000).map_err(|error| Code::InvalidField.at(field, error.to_string()))?;
        checked.insert(key, answer);
    }
    Ok(checked)
}

/// May one apply? Before the opening too, and while it is sold out: a place may come back.
///
/// # Errors
/// `wrong_admission`, `closed`
pub fn may_apply(admission: Admission, state: drives::State) -> Result<(), Code> {
    if admission != Admission::Application {
        return Err(Code::WrongAdmission);
    }
    if state == drives::State::Closed { Err(Code::Closed) } else { Ok(()) }
}

/// The end of the right to buy that an approval gives: hours from now, or from the opening where that is still to come,
/// and never past the drive's own end.
pub fn buy_until(drive: &Drive, now: DateTime<Utc>) -> DateTime<Utc> {
    let from = now.max(drive.opens_at);
    (from + TimeDelta::hours(i64::from(drive.buy_within_hours))).min(drive.closes_at)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::types::id::{AccountId, ApplicationId, DriveId};

    #[test]
    fn an_approved_application_gives_a_right_until_its_deadline() {
        let now: DateTime<Utc> = "2026-03-01T04:00:00Z".parse().unwrap();
        let received = Application {
            id: ApplicationId::new(),
            drive_id: DriveId::new(),
            account_id: AccountId::new(),
            answers: json!({}),
            state: State::Received,
            reason: None,
            decided_by: None,
            decided_at: None,
            buy_until: None,
            created_at: now,
            version: 1,
        };
        assert_eq!(may_buy(None, now), Err(Code::ApplicationRequired));
        assert_eq!(may_buy(Some(&received), now), Err(Code::ApplicationRequired));
        let refused = Application { state: State::Refused, ..received.clone() };
        assert_eq!(may_buy(Some(&refused), now), Err(Code::ApplicationRequired));
        let approved = Application { state: State::Approved, buy_until: Some(now), ..received };
        assert_eq!(may_buy(Some(&approved), now - TimeDelta::microseconds(1)), Ok(()));
        assert_eq!(may_buy(Some(&approved), now), Err(Code::RightToBuyExpired));
    }

    #[test]
    fn one_applies_to_a_drive_that_asks_for_it_until_it_closes() {
        use crate::membership::drives::rules::State as Drive;
        for state in [Drive::Scheduled, Drive::Open, Drive::SoldOut] {
            assert_eq!(may_apply(Admission::Application, state), Ok(()));
        }
        assert_eq!(may_apply(Admission::Application, Drive::Closed), Err(Code::Closed));
        assert_eq!(may_apply(Admission::Open, Drive::Open), Err(Code::WrongAdmission));
        assert_eq!(may_apply(Admission::Invitation, Drive::Closed), Err(Code::WrongAdmission));
    }

    #[test]
    fn answers_are_bounded() {
        let one = |question: &str, answer: &str| {
            answers(&BTreeMap::from([(question.to_owned(), answer.to_owned())]))
        };
        assert!(answers(&BTreeMap::new()).is_ok());
        assert!(one("为什么", &"x".repeat(2_000)).is_ok());
        assert_eq!(one("why", &"x".repeat(2_001)).unwrap_err().errors[0].field, "answers.why");
        assert!(one("why", "a\0b").is_err() && one("", "a").is_err() && one(&"q".repeat(101), "a").is_err());
        let many = |count: usize| (0..count).map(|n| (format!("q{n}"), "a".to_owned())).collect();
        assert!(answers(&many(MOST_ANSWERS)).is_ok());
        assert!(answers(&many(MOST_ANSWERS + 1)).is_err());
    }

    #[test]
    fn the_right_to_buy_starts_at_the_opening_and_ends_with_the_drive() {
        let mut drive = crate::membership::drives::rules::tests::drive();
        drive.buy_within_hours = 2;
        let (opens, closes) = (drive.opens_at, drive.closes_at);
        let hours = TimeDelta::hours;
        assert_eq!(buy_until(&drive, opens - hours(30)), opens + hours(2));
        assert_eq!(buy_until(&drive, opens + hours(1)), opens + hours(3));
        assert_eq!(buy_until(&drive, closes - hours(1)), closes);
    }
}
