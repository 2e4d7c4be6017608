//! What a drive's clock and places mean.

use chrono::{DateTime, Utc};

use super::model::Drive;
use crate::error::{Code, Result};
use crate::fields;
use crate::types::stored::stored_enum;

/// A pool's counters stay far from their limits.
const LARGEST_QUOTA: i64 = 10_000_000;
const MOST_RELEASES: usize = 100;

stored_enum! {
    /// What a drive shows; it follows from clock and pool and is stored nowhere.
    State as "DriveState" {
        Scheduled = "scheduled",
        Open = "open",
        /// Open, but no place is left. One may come back while others have yet to pay.
        SoldOut = "sold_out",
        Closed = "closed",
    }
}

/// A part of the quota and when it is let out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    pub at: DateTime<Utc>,
    pub quantity: i64,
}

/// The window is `[opens_at, closes_at)`; an archived drive is closed whatever its window says.
pub fn state(drive: &Drive, now: DateTime<Utc>) -> State {
    if drive.archived_at.is_some() || now >= drive.closes_at {
        State::Closed
    } else if now < drive.opens_at {
        State::Scheduled
    } else if remaining(drive) == 0 {
        State::SoldOut
    } else {
        State::Open
    }
}

/// Places of the whole quota that nobody holds or has taken.
pub fn remaining(drive: &Drive) -> i64 {
    (drive.quota - drive.held - drive.taken).max(0)
}

/// How many places have been let out so far; a part is out from its very moment on.
pub fn released(releases: &[Release], now: DateTime<Utc>) -> i64 {
    releases.iter().filter(|release| release.at <= now).map(|release| release.quantity).sum()
}

/// Places that could be claimed right now; 0 outside the window.
pub fn available_now(drive: &Drive, now: DateTime<Utc>) -> i64 {
    match state(drive, now) {
        State::Open => (released(&drive.releases, now) - drive.held - drive.taken).max(0),
        State::Scheduled | State::SoldOut | State::Closed => 0,
    }
}

/// When the next part is let out, if one is to come before the drive closes.
pub fn next_release_at(drive: &Drive, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if state(drive, now) == State::Closed {
        return None;
    }
    drive.releases.iter().map(|release| release.at).filter(|at| *at > now).min()
}

/// When the answer to [`state`], [`available_now`] or [`next_release_at`] changes next by the clock alone.
pub fn next_change_at(drive: &Drive, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let edges = [drive.opens_at, drive.closes_at].into_iter();
    edges.chain(drive.releases.iter().map(|release| release.at)).filter(|at| *at > now).min()
}

/// May places be sold now, by the window alone?
///
/// # Errors
/// `not_open`, `closed`.
pub fn check_open(drive: &Drive, now: DateTime<Utc>) -> Result<(), Code> {
    match state(drive, now) {
        State::Scheduled => Err(Code::NotOpen),
        State::Closed => Err(Code::Closed),
        State::Open | State::SoldOut => Ok(()),
    }
}

/// Is this something that can be sold: a window that opens before it closes, a quota, and parts that lie in the window,
/// each at a time of its own, and add up to the quota?
///
/// # Errors
/// `invalid_field`
pub fn check_offer(drive: &Drive) -> Result<()> {
    if drive.opens_at >= drive.closes_at {
        return Err(Code::InvalidField.at("closes_at", "expected a time after `opens_at`"));
    }
    fields::within("quota", drive.quota, 1, LARGEST_QUOTA)?;
    fields::within("buy_within_hours", drive.buy_within_hours, 1, 24 * 366)?;
    if drive.is_dated { check_releases(drive) } else { Ok(()) }
}

fn check_releases(drive: &Drive) -> Result<()> {
    let wrong = |index: usize, field: &str, detail: &str| {
        Err(Code::InvalidField.at(format!("releases[{index}].{field}"), detail))
    };
    if drive.releases.is_empty() || drive.releases.len() > MOST_RELEASES {
        let detail = format!("expected 1 to {MOST_RELEASES} parts, or null: all of it at the opening");
        return Err(Code::InvalidField.at("releases", detail));
    }
    let mut sum: i64 = 0;
    let mut before: Option<DateTime<Utc>> = None;
    for (index, release) in drive.releases.iter().enumerate() {
        fields::within(&format!("releases[{index}].quantity"), release.quantity, 1, LARGEST_QUOTA)?;
        sum += release.quantity;
        if release.at < drive.opens_at || release.at >= drive.closes_at {
            return wrong(index, "at", "expected a time in the drive's window");
        }
        if before.is_some_and(|before| release.at <= before) {
            return wrong(index, "at", "expected a time after that of the part before");
        }
        before = Some(release.at);
    }
    if sum != drive.quota {
        return Err(Code::InvalidField.at("releases", format!("they add up to {sum}, not to the quota")));
    }
    Ok(())
}

/// A quota never falls below what is held or taken.
///
/// # Errors
/// `quota_below_claims`
pub fn check_quota(quota: i64, held: i64, taken: i64) -> Result<(), Code> {
    if quota >= held + taken { Ok(()) } else { Err(Code::QuotaBelowClaims) }
}

#[cfg(test)]
pub(crate) mod tests;
