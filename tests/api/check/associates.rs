//! Breakages of associates and their seats.

use super::breakages::Named::{Id, Word};
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(&["associate_seats"], Id("mem", "vic membership"), "UPDATE associate_seats SET held = held + 1"),
    breaks(
        &["associate_seats"],
        Id("mem", "vic membership"),
        "UPDATE associates SET state = 'ended', cause = 'left', ended_at = t(8) WHERE id = u('wim seat')",
    ),
    breaks(
        &["associate_seats"],
        Id("mem", "vic membership"),
        "ALTER TABLE associate_seats DROP CONSTRAINT associate_seats_within_capacity; UPDATE associate_seats SET capacity = 1",
    ),
    breaks(
        &["associates_have_heads"],
        Id("asct", "wim seat"),
        "UPDATE associates SET head_id = u('bob') WHERE id = u('wim seat')",
    ),
    breaks(
        &["associates_have_heads", "membership_ends"],
        Id("asct", "wim seat"),
        "UPDATE memberships SET state = 'expired', closed_at = t(9) WHERE id = u('vic membership')",
    ),
    breaks(
        &["associates_have_no_associates", "associates_have_no_membership", "associate_mails"],
        Id("asct", "wim seat"),
        "INSERT INTO associate_seats VALUES (u('bob membership'), 1, 0, 1);
         INSERT INTO associates (id, membership_id, head_id, term_id, account_id, state, token_hash, expires_at, created_at, accepted_at)
             SELECT u('vic seat'), u('bob membership'), u('bob'), term_id, u('vic'), 'active', '\\x99', expires_at, created_at,
                    accepted_at
             FROM associates WHERE id = u('wim seat')",
    ),
    breaks(
        &["associates_have_no_membership", "members_have_numbers"],
        Id("asct", "wim seat"),
        "UPDATE associates SET account_id = u('ada') WHERE id = u('wim seat')",
    ),
    breaks(
        &["associates_not_expelled"],
        Id("asct", "wim seat"),
        "UPDATE community_measures SET account_id = u('wim'), state = 'in_force', ended_at = NULL WHERE id = u('expelled')",
    ),
    breaks(
        &["associate_mails"],
        Word("associate:"),
        "UPDATE mails SET kind = 'associate_ended' WHERE kind = 'associate_joined'",
    ),
];
