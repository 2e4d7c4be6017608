//! How often one may move.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::error::{Code, Result};

/// A member stays that long in a chapter to which he has moved.
pub const STAY: TimeDelta = TimeDelta::days(30);

/// From when on one may move again; none: at once.
pub fn free_at(last_moved_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    last_moved_at.map(|moved_at| moved_at + STAY).filter(|free_at| now < *free_at)
}

/// # Errors
/// `moved_recently`
pub fn may_move(last_moved_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<()> {
    match free_at(last_moved_at, now) {
        None => Ok(()),
        Some(at) => {
            let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            Err(Code::MovedRecently.because(format!("You may move again from {at} on.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moves_once_in_thirty_days() {
        let moved_at: DateTime<Utc> = "2026-03-01T04:00:00Z".parse().unwrap();
        let free = moved_at + TimeDelta::days(30);
        assert!(may_move(None, moved_at).is_ok());
        let early = free - TimeDelta::microseconds(1);
        assert_eq!(may_move(Some(moved_at), early).unwrap_err().code, Code::MovedRecently);
        assert_eq!(free_at(Some(moved_at), early), Some(free));
        assert!(may_move(Some(moved_at), free).is_ok());
        assert_eq!(free_at(Some(moved_at), free), None);
    }
}
