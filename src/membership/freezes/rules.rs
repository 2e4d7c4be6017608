//! How long a member may let the membership rest.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::Freeze;
use crate::error::{AppError, Code};
use crate::membership::memberships::model::MembershipRow;
use crate::membership::memberships::rules::{GRACE, Life, life};

/// The year in which the days are counted: back from now.
pub const YEAR: TimeDelta = TimeDelta::days(365);
/// For less it isn't worth while.
pub const LEAST: TimeDelta = TimeDelta::days(1);

/// The membership that can be frozen now.
///
/// # Errors
/// `membership_not_open`, `membership_frozen`; `already_for_life` where no end could move.
pub fn freezable(open: Option<&MembershipRow>, now: DateTime<Utc>) -> Result<&MembershipRow, Code> {
    let open = open.ok_or(Code::MembershipNotOpen)?;
    match life(open, now, GRACE) {
        Life::Frozen => Err(Code::MembershipFrozen),
        Life::Active if open.ends_at.is_none() => Err(Code::AlreadyForLife),
        Life::Active => Ok(open),
        Life::Grace | Life::Expired | Life::Revoked => Err(Code::MembershipNotOpen),
    }
}

/// Time of a year that earlier freezes have used: what of them lies within the year before now.
pub fn used(earlier: &[Freeze], now: DateTime<Utc>) -> TimeDelta {
    let from = now - YEAR;
    let within = |freeze: &Freeze| {
        let end = freeze.ended_at.unwrap_or(now).min(now);
        (end - freeze.started_at.max(from)).max(TimeDelta::zero())
    };
    earlier.iter().map(within).sum()
}

/// May it rest until then?
///
/// # Errors
/// `invalid_field` for less than [`LEAST`]; `freeze_limit` where that is more than what is left of the year's days.
pub fn may_rest(
    until: DateTime<Utc>,
    used: TimeDelta,
    most: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), AppError> {
    if until - now < LEAST {
        return Err(Code::InvalidField.at("until", "expected a time at least a day from now"));
    }
    if until - now > most - used {
        let days = (most - used).num_days().max(0);
        return Err(Code::FreezeLimit.at("until", format!("{days} whole days of the year are left")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::id::{AccountId, FreezeId, MembershipId};

    fn now() -> DateTime<Utc> {
        "2026-11-01T00:00:00Z".parse().unwrap()
    }

    fn freeze(started_days_ago: i64, days: i64) -> Freeze {
        let started_at = now() - TimeDelta::days(started_days_ago);
        let end = started_at + TimeDelta::days(days);
        Freeze {
            id: FreezeId::new(),
            membership_id: MembershipId::new(),
            account_id: AccountId::new(),
            started_at,
            until: end + TimeDelta::days(9),
            ended_at: Some(end),
        }
    }

    #[test]
    fn only_what_lies_within_a_year_counts_and_only_until_it_ended() {
        let days = |earlier: &[Freeze]| used(earlier, now()).num_days();
        assert_eq!(days(&[]), 0);
        assert_eq!(days(&[freeze(100, 20), freeze(50, 5)]), 25);
        assert_eq!(days(&[freeze(370, 20)]), 15);
        assert_eq!(days(&[freeze(385, 20)]), 0);
        assert_eq!(days(&[freeze(500, 20)]), 0);
        assert_eq!(days(&[Freeze { ended_at: None, ..freeze(7, 20) }]), 7);
    }

    #[test]
    fn a_day_is_the_least_and_what_is_left_of_the_year_the_most() {
        let most = TimeDelta::days(60);
        let may = |rest, used_days| {
            may_rest(now() + rest, TimeDelta::days(used_days), most, now()).map_err(|error| error.code)
        };
        let second = TimeDelta::seconds(1);
        assert_eq!(may(LEAST, 0), Ok(()));
        assert_eq!(may(LEAST - second, 0), Err(Code::InvalidField));
        assert_eq!(may(-LEAST, 0), Err(Code::InvalidField));
        assert_eq!(may(TimeDelta::days(60), 0), Ok(()));
        assert_eq!(may(TimeDelta::days(60) + second, 0), Err(Code::FreezeLimit));
        assert_eq!(may(TimeDelta::days(20), 40), Ok(()));
        assert_eq!(may(TimeDelta::days(20) + second, 40), Err(Code::FreezeLimit));
        assert_eq!(may(LEAST, 61), Err(Code::FreezeLimit));
    }
}
