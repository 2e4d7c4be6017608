//! Breakages of notices.

use super::breakages::Named::Id;
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["notices_counted"],
        Id("ntc", "notice"),
        "UPDATE notices SET skipped = 0 WHERE id = u('notice')",
    ),
    breaks(
        &["notices_counted"],
        Id("ntc", "notice"),
        "UPDATE notices SET state = 'sent', ended_at = t(9) WHERE id = u('notice');
         UPDATE jobs SET state = 'done', finished_at = t(9) WHERE kind = 'send_notice'",
    ),
    breaks(
        &["notices_within_cap"],
        Id("acc", "ada"),
        "ALTER TABLE notice_months DROP CONSTRAINT notice_months_within_cap;
         UPDATE notice_months SET cap = 0 WHERE account_id = u('ada')",
    ),
    breaks(&["notices_within_cap"], Id("acc", "ada"), "DELETE FROM notice_months"),
    breaks(
        &["notices_once"],
        Id("acc", "ada"),
        "UPDATE mails SET account_id = NULL WHERE kind = 'notice' AND account_id = u('ada')",
    ),
    breaks(
        &["notices_once"],
        Id("acc", "bob"),
        "SELECT mail('notice', 'another', 'bob', jsonb_build_object('notice', ext('ntc', 'notice')))",
    ),
    breaks(
        &["notices_wanted"],
        Id("acc", "ada"),
        "INSERT INTO mail_opt_outs VALUES (u('ada'), 'notices', t(3))",
    ),
    breaks(
        &["notices_wanted"],
        Id("acc", "ada"),
        "INSERT INTO mail_suppressions VALUES (u('suppressed'), 'ada@shop.test', 'complaint', t(3))",
    ),
    breaks(&["owed_notices"], Id("ntc", "notice"), "DELETE FROM jobs WHERE kind = 'send_notice'"),
];
