//! What a drive's clock and places mean.

use chrono::{DateTime, Utc};

use super::model::Drive;
use crate::error::Code;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What a drive shows; it follows from clock and pool and is stored nowhere.
    State {
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

#[cfg(test)]
mod tests;
