//! Ways to break what holds of gift memberships.

use super::breakages::Named::{Id, Word};
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(&["gifts_sold"], Id("line", "gwen line 2"), "DELETE FROM gifts WHERE id = u('coming gift')"),
    breaks(
        &["gifts_sold"],
        Id("line", "gwen line"),
        "UPDATE gifts SET account_id = u('lea') WHERE id = u('gwen gift')",
    ),
    breaks(
        &["gifts_sold"],
        Id("line", "gwen line 2"),
        "UPDATE gifts SET activated_at = NULL, expires_at = NULL WHERE id = u('coming gift')",
    ),
    breaks(
        &["gifts_redeemed"],
        Word("gmem_"),
        "UPDATE gifts SET redeemed_by = u('gwen') WHERE id = u('gwen gift')",
    ),
    breaks(
        &["gifts_redeemed"],
        Word("term_"),
        "UPDATE gifts SET redeemed_by = NULL, redeemed_at = NULL, term_id = NULL WHERE id = u('gwen gift')",
    ),
    // It was given by an operator all at once.
    breaks(
        &["gifts_redeemed"],
        Id("gmem", "gwen gift"),
        "UPDATE membership_terms SET source = 'grant' WHERE id = u('given term')",
    ),
    breaks(
        &["terms_have_lines"],
        Id("term", "given term"),
        "UPDATE membership_terms SET value_minor = 20000 WHERE id = u('given term')",
    ),
    breaks(
        &["gifts_void"],
        Id("gmem", "gwen gift"),
        "UPDATE gifts SET voided_at = t(7) WHERE id = u('gwen gift')",
    ),
    breaks(&["owed_gifts"], Id("gmem", "coming gift"), "DELETE FROM jobs WHERE kind = 'deliver_gift'"),
];
