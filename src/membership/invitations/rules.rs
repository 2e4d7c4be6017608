//! Who may use an invitation.

use chrono::{DateTime, Utc};

use super::model::Invitation;
use crate::error::Code;

/// The one who wants to use it.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// None after erasure.
    pub email_key: Option<&'a str>,
    pub is_email_verified: bool,
}

/// May it be used by this buyer now? Whether uses are left is the pool's to say, under its lock.
///
/// # Errors
/// `invitation_expired` (withdrawn ones too), `invitation_not_yours`, `email_not_verified`.
pub fn may_use(invitation: &Invitation, guest: Guest<'_>, now: DateTime<Utc>) -> Result<(), Code> {
    if let Some(reserved_for) = &invitation.email_key {
        if guest.email_key != Some(reserved_for.as_str()) {
            return Err(Code::InvitationNotYours);
        }
        // Whoever signs up with somebody's address must not get that person's place.
        if !guest.is_email_verified {
            return Err(Code::EmailNotVerified);
        }
    }
    if invitation.revoked_at.is_some() || invitation.expires_at.is_some_and(|end| end <= now) {
        return Err(Code::InvitationExpired);
    }
    Ok(())
}

/// Letters and digits that aren't mistaken for one another (Crockford's base 32).
pub const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code as it is stored, whatever was typed: capitals, no hyphens or spaces, and `O`, `I`, `L` as the digits that they
/// were meant to be. What is longer than any code is cut: it names nothing either way.
pub fn normal_code(typed: &str) -> String {
    let visible = typed.chars().filter(|c| !c.is_whitespace() && !c.is_control() && *c != '-');
    visible
        .take(64)
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

/// Ten random letters: 2^50 codes, so that none is found by trying.
pub const CODE_LENGTH: usize = 10;

/// A new code from numbers below 32 (larger ones are taken modulo 32).
pub fn code_from(random: [u8; CODE_LENGTH]) -> String {
    let letter = |byte: u8| ALPHABET.get(usize::from(byte % 32)).copied().map_or('0', char::from);
    random.into_iter().map(letter).collect()
}

/// `7Q4M2-X9PAB`: as people read and type it.
pub fn shown_code(code: &str) -> String {
    match code.split_at_checked(CODE_LENGTH / 2) {
        Some((first, second)) if code.len() == CODE_LENGTH => format!("{first}-{second}"),
        _ => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::types::id::{DriveId, InvitationId, PoolId};

    fn now() -> DateTime<Utc> {
        "2026-03-01T04:00:00Z".parse().unwrap()
    }

    fn invitation() -> Invitation {
        Invitation {
            id: InvitationId::new(),
            drive: DriveId::new(),
            code: "7Q4M2X9PAB".into(),
            email_key: None,
            pool: PoolId::new(),
            uses: 1,
            held: 0,
            taken: 0,
            expires_at: None,
            revoked_at: None,
            created_at: now(),
        }
    }

    const ANYBODY: Guest<'_> = Guest { email_key: None, is_email_verified: false };

    #[test]
    fn a_code_is_for_whoever_has_it_until_it_ends() {
        assert_eq!(may_use(&invitation(), ANYBODY, now()), Ok(()));
        let ending = Invitation { expires_at: Some(now()), ..invitation() };
        assert_eq!(may_use(&ending, ANYBODY, now() - TimeDelta::microseconds(1)), Ok(()));
        assert_eq!(may_use(&ending, ANYBODY, now()), Err(Code::InvitationExpired));
        let revoked = Invitation { revoked_at: Some(now()), ..invitation() };
        assert_eq!(may_use(&revoked, ANYBODY, now()), Err(Code::InvitationExpired));
    }

    #[test]
    fn a_reserved_place_is_for_the_verified_address_alone() {
        let reserved = Invitation { email_key: Some("a@b.org".into()), ..invitation() };
        let guest = |email_key, is_email_verified| Guest { email_key, is_email_verified };
        assert_eq!(may_use(&reserved, guest(Some("a@b.org"), true), now()), Ok(()));
        assert_eq!(may_use(&reserved, guest(Some("a@b.org"), false), now()), Err(Code::EmailNotVerified));
        assert_eq!(may_use(&reserved, guest(Some("c@b.org"), true), now()), Err(Code::InvitationNotYours));
        assert_eq!(may_use(&reserved, ANYBODY, now()), Err(Code::InvitationNotYours));
        // Somebody else doesn't learn that it has expired.
        let expired = Invitation { expires_at: Some(now()), ..reserved };
        assert_eq!(may_use(&expired, guest(Some("c@b.org"), true), now()), Err(Code::InvitationNotYours));
        assert_eq!(may_use(&expired, guest(Some("a@b.org"), true), now()), Err(Code::InvitationExpired));
    }

    #[test]
    fn a_code_is_read_as_it_was_meant() {
        assert_eq!(normal_code(" 7q4m2-x9pol "), "7Q4M2X9P01");
        let all: String = ALPHABET.iter().map(|b| char::from(*b)).collect();
        assert_eq!(normal_code(&all), all);
        assert_eq!(code_from([0, 1, 9, 10, 17, 18, 31, 32, 63, 255]), "019AHJZ0ZZ");
        assert_eq!(shown_code("7Q4M2X9PAB"), "7Q4M2-X9PAB");
        assert_eq!(normal_code(&shown_code("7Q4M2X9PAB")), "7Q4M2X9PAB");
    }
}
