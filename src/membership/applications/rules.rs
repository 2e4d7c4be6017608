//! What an application gives the right to.

use chrono::{DateTime, Utc};

use super::model::{Application, State};
use crate::error::Code;

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
}
