//! Ways to break what holds of gift memberships and trials.

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
    breaks(
        &["trials_given"],
        Id("trl", "mia trial"),
        "UPDATE trials SET account_id = u('eve') WHERE id = u('mia trial')",
    ),
    breaks(&["trials_given"], Id("term", "tried term"), "DELETE FROM trials"),
    breaks(
        &["trials_given"],
        Id("trl", "second trial"),
        "ALTER TABLE trials DROP CONSTRAINT trials_person;
         INSERT INTO trials (id, account_id, person_key, plan_id, days, created_at)
             VALUES (u('second trial'), u('eve'), 'mia@shop.test', u('regular plan'), 7, t(6))",
    ),
    breaks(&["owed_ends_of_trials"], Id("trl", "mia trial"), "DELETE FROM jobs WHERE kind = 'end_trial'"),
];
