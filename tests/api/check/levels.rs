//! Ways to break what holds of levels and of the ladder.

use super::breakages::Named::Id;
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["levels_by_history"],
        Id("acc", "ada"),
        "UPDATE account_levels SET level_id = u('gold') WHERE account_id = u('ada')",
    ),
    breaks(
        &["levels_by_history"],
        Id("acc", "ada"),
        "DELETE FROM account_levels WHERE account_id = u('ada')",
    ),
    breaks(
        &["level_changes_in_a_row"],
        Id("lvc", "ada raised"),
        "UPDATE level_changes SET from_level_id = u('gold') WHERE id = u('ada raised')",
    ),
    breaks(
        &["level_changes_in_a_row", "level_welcome_points"],
        Id("lvc", "ada raised"),
        "UPDATE level_changes SET kind = 'kept' WHERE id = u('ada raised')",
    ),
    breaks(
        &["level_reviews_in_time"],
        Id("acc", "ada"),
        "UPDATE account_levels SET due_at = judged_at WHERE account_id = u('ada')",
    ),
    breaks(
        &["level_welcome_points"],
        Id("lot", "ada welcome"),
        "UPDATE points_lots SET cause = 'x' || cause WHERE id = u('ada welcome')",
    ),
    breaks(
        &["stages_by_history"],
        Id("acc", "ada"),
        "UPDATE account_stages SET stage_id = NULL WHERE account_id = u('ada')",
    ),
    breaks(
        &["stages_by_history"],
        Id("acc", "ada"),
        "UPDATE account_stages SET since = t(4) WHERE account_id = u('ada')",
    ),
    breaks(
        &["stage_steps_in_a_row"],
        Id("stc", "ada climbed"),
        "UPDATE stage_changes SET from_stage_id = '00000000-0000-7000-8000-00000000c002' WHERE id = u('ada climbed')",
    ),
    breaks(&["owed_looks"], Id("acc", "bob"), "UPDATE jobs SET state = 'done' WHERE kind = 'follow_levels'"),
];
