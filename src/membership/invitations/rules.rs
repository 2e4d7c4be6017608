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
/// were meant to be.
pub fn normal_code(typed: &str) -> String {
    let visible = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    visible
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}
