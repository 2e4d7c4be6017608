//! Ways to break what holds of points and check-ins.

use super::breakages::Named::{Id, Word};
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["points_lots"],
        Id("lot", "ada gift"),
        "UPDATE points_lots SET active = active + 1, spent = spent - 1 WHERE id = u('ada gift')",
    ),
    breaks(
        &["points_lots"],
        Id("lot", "ada gift"),
        "UPDATE points_entries SET level = 5 WHERE id = u('ada paid')",
    ),
    breaks(
        &["points_lots", "points_balances"],
        Id("lot", "ada lot"),
        "UPDATE points_entries SET account_id = u('bob') WHERE id = u('ada matured')",
    ),
    breaks(
        &["points_balances"],
        Id("acc", "pat"),
        "UPDATE points_balances SET active = active + 1 WHERE account_id = u('pat')",
    ),
    breaks(&["points_balances"], Id("acc", "pat"), "DELETE FROM points_balances WHERE account_id = u('pat')"),
    breaks(
        &["points_of_orders"],
        Id("ord", "pat order"),
        "UPDATE order_lines SET points_minor = 0 WHERE id = u('pat line')",
    ),
    breaks(
        &["points_of_orders"],
        Id("ord", "pat order"),
        "UPDATE points_entries SET order_id = NULL WHERE id = u('pat paid')",
    ),
    breaks(
        &["points_earned"],
        Id("ord", "ada order"),
        "UPDATE order_lines SET points_rate_bp = 200 WHERE id = u('ada line')",
    ),
    breaks(
        &["points_for_give_outs"],
        Word("give_out:"),
        "UPDATE give_outs SET points = 299 WHERE id = u('lunch')",
    ),
    breaks(
        &["points_for_give_outs"],
        Word("give_out:"),
        "UPDATE points_entries SET cause = 'give_out:stray' WHERE id = u('ada paid')",
    ),
    breaks(&["check_ins"], Word("check_in:"), "UPDATE check_ins SET streak = 3 WHERE day = '2026-11-22'"),
    breaks(&["check_ins"], Word("check_in:"), "DELETE FROM check_ins WHERE day = '2026-11-22'"),
    breaks(&["owed_points"], Id("ord", "mia order"), "DELETE FROM jobs WHERE kind = 'follow_points'"),
];
