//! When a refresh token is good, and what its successor is.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::error::{AppError, Result};
use crate::people::secrets;

/// What a refresh token begins with.
pub const REFRESH_PREFIX: &str = "kr_";

/// A repeat of a used token within that time answers the same successor: the answer was lost, or two tabs asked at once.
/// Later, somebody else has the token.
pub const REPEAT_WITHIN: TimeDelta = TimeDelta::seconds(10);

/// A refresh token with the session that it keeps alive, as they lie in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    pub used_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    pub session_ended: bool,
}

/// What to do with a presented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Mark it used and issue its successor.
    Rotate,
    /// Answer the successor that it already has.
    Repeat,
    /// An old one came back: end the session.
    Reuse,
    Refuse,
}

pub fn judge(token: &Presented, now: DateTime<Utc>) -> Verdict {
    if token.session_ended {
        return Verdict::Refuse;
    }
    match token.used_at {
        Some(used_at) if now - used_at <= REPEAT_WITHIN => Verdict::Repeat,
        // Also where it has expired since: whoever sends it took it from somewhere.
        Some(_) => Verdict::Reuse,
        None if token.expires_at <= now => Verdict::Refuse,
        None => Verdict::Rotate,
    }
}

/// The token after `token`: HMAC-SHA-256 of it under the row's salt. Only who has the token can derive it (the database
/// knows its hash and the salt), and a repeat derives the same.
///
/// # Errors
/// Never in practice: HMAC takes a key of any length.
pub fn successor(token: &str, salt: &[u8]) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).map_err(AppError::internal)?;
    mac.update(token.as_bytes());
    Ok(secrets::encode(REFRESH_PREFIX, &mac.finalize().into_bytes()))
}

/// What is kept of a `User-Agent` header: enough to tell one's devices apart.
pub fn user_agent(header: Option<&str>) -> String {
    header.unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn presented(used_seconds_ago: Option<i64>) -> Presented {
        Presented {
            used_at: used_seconds_ago.map(|seconds| now() - TimeDelta::seconds(seconds)),
            expires_at: now() + TimeDelta::seconds(1),
            session_ended: false,
        }
    }

    #[test]
    fn each_side_of_every_bound() {
        assert_eq!(judge(&presented(None), now()), Verdict::Rotate);
        assert_eq!(judge(&presented(None), now() + TimeDelta::seconds(1)), Verdict::Refuse);
        assert_eq!(judge(&presented(Some(10)), now()), Verdict::Repeat);
        assert_eq!(judge(&presented(Some(11)), now()), Verdict::Reuse);
        assert_eq!(judge(&presented(Some(11)), now() + TimeDelta::days(1)), Verdict::Reuse);
        let ended = Presented { session_ended: true, ..presented(Some(1)) };
        assert_eq!(judge(&ended, now()), Verdict::Refuse);
    }

    #[test]
    fn a_successor_depends_on_token_and_salt_alone() {
        let first = successor("kr_a", b"salt").unwrap();
        assert_eq!(first, successor("kr_a", b"salt").unwrap());
        assert_ne!(first, successor("kr_b", b"salt").unwrap());
        assert_ne!(first, successor("kr_a", b"pepper").unwrap());
        assert!(first.starts_with("kr_") && first.len() == 46);
    }

    #[test]
    fn a_user_agent_is_cut() {
        assert_eq!(user_agent(Some("a\tb")), "ab");
        assert_eq!(user_agent(Some(&"好".repeat(300))).chars().count(), 200);
        assert_eq!(user_agent(None), "");
    }
}
