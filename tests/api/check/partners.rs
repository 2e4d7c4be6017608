//! Breakages of partners' commissions.

use super::breakages::Named::{Id, Word};
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(&["pools_taken"], Id("pool", "kol pool"), "UPDATE pools SET taken = 1 WHERE id = u('kol pool')"),
    breaks(
        &["partner_codes"],
        Word("K01"),
        "UPDATE invite_codes SET account_id = u('bob') WHERE code = 'K01'",
    ),
    breaks(&["partner_codes"], Word("STRAY"), "INSERT INTO invite_codes VALUES ('STRAY', NULL, t(0))"),
    breaks(&["commissions_earned"], Id("ord", "gil order"), "UPDATE partner_codes SET rate_bp = 1100"),
    breaks(
        &["commissions_earned"],
        Id("ord", "gil order"),
        "UPDATE commissions SET basis_minor = 25001 WHERE id = u('gil earned')",
    ),
    breaks(
        &["commissions_reversed"],
        Id("ord", "mia order"),
        "DELETE FROM jobs WHERE kind = 'follow_invite';
         UPDATE commissions SET amount_minor = -499 WHERE id = u('mia reversed')",
    ),
    breaks(
        &["commissions_reversed"],
        Id("ord", "mia order"),
        "DELETE FROM jobs WHERE kind = 'follow_invite';
         DELETE FROM commissions WHERE id = u('mia reversed')",
    ),
    breaks(
        &["commissions_reversed"],
        Id("ord", "nat order"),
        "DELETE FROM jobs WHERE kind = 'follow_invite'",
    ),
    breaks(&["partner_payouts"], Id("pout", "kol payout"), "UPDATE partner_payouts SET amount_minor = 2499"),
    breaks(
        &["partner_payouts"],
        Id("pout", "kol payout"),
        "ALTER TABLE partner_payout_entries DROP CONSTRAINT partner_payout_entries_pkey;
         INSERT INTO partner_payouts VALUES (u('again'), u('kol'), 2500, 1, t(12));
         INSERT INTO partner_payout_entries VALUES (u('gil earned'), u('again'))",
    ),
];
