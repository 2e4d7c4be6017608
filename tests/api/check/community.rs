//! Breakages of the rules of the community and of measures.

use super::breakages::Named::Id;
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(&["rules_accepted"], Id("ord", "ada order"), "DELETE FROM community_acceptances"),
    breaks(
        &["rules_accepted"],
        Id("ord", "ada order"),
        "UPDATE community_acceptances SET accepted_at = t(59)",
    ),
    breaks(&["suspensions"], Id("meas", "suspended"), "DELETE FROM jobs WHERE kind = 'end_suspension'"),
    breaks(
        &["suspensions"],
        Id("meas", "suspended"),
        "UPDATE memberships SET state = 'active', frozen_at = NULL, frozen_causes = '{}' WHERE id = u('pia membership')",
    ),
    breaks(
        &["suspensions"],
        Id("meas", "expelled"),
        "UPDATE memberships SET state = 'expired' WHERE id = u('bob earlier')",
    ),
    breaks(
        &["expulsions_refunded"],
        Id("meas", "expelled"),
        "UPDATE jobs SET state = 'done', finished_at = t(9) WHERE kind = 'refund_expelled'",
    ),
    breaks(
        &["expulsions_refunded"],
        Id("meas", "expelled"),
        "UPDATE measure_refunds SET amount_minor = amount_minor - 1",
    ),
    breaks(
        &["freezes_have_causes"],
        Id("mem", "pia membership"),
        "UPDATE community_measures SET state = 'over', ended_at = t(9) WHERE id = u('suspended')",
    ),
    breaks(
        &["measures_told"],
        Id("meas", "warned"),
        "DELETE FROM mails WHERE kind = 'measure_taken' AND account_id = u('bob')",
    ),
];
