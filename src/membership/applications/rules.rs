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
