//! Ways to break what holds of upgrade offers.

use super::breakages::Named::{Id, Word};
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["upgrade_offer_uses_of_lines"],
        Id("line", "dan upgrade line"),
        "DELETE FROM upgrade_offer_uses WHERE id = u('dan use')",
    ),
    breaks(
        &["upgrade_offer_uses_of_lines"],
        Id("line", "dan upgrade line"),
        "UPDATE upgrade_offer_uses SET discount_minor = 39999 WHERE id = u('dan use')",
    ),
    breaks(
        &["upgrade_offer_uses_of_lines"],
        Id("line", "ada line"),
        "INSERT INTO upgrade_offer_uses
                 (id, offer_id, account_id, person_key, order_id, line_id, discount_minor, created_at) VALUES
             (u('stray use'), u('year offer'), u('ada'), 'ada@shop.test', u('ada order'), u('ada line'), 1, t(9))",
    ),
    breaks(
        &["upgrade_offer_uses_of_lines"],
        Id("line", "dan upgrade line"),
        "UPDATE upgrade_offers SET plan_id = u('regular plan') WHERE id = u('year offer')",
    ),
    breaks(
        &["upgrade_offers_once", "upgrade_offer_uses_of_lines"],
        Id("uof", "year offer"),
        "DROP INDEX upgrade_offer_uses_person;
         INSERT INTO upgrade_offer_uses
                 (id, offer_id, account_id, person_key, order_id, line_id, discount_minor, created_at) VALUES
             (u('stray use'), u('year offer'), u('ada'), 'dan@shop.test', u('ada order'), u('ada line'), 1, t(9))",
    ),
    breaks(
        &["upgrade_offers_once", "upgrade_offer_uses_of_lines"],
        Id("uof", "year offer"),
        "DROP INDEX upgrade_offer_uses_account;
         INSERT INTO upgrade_offer_uses
                 (id, offer_id, account_id, person_key, order_id, line_id, discount_minor, created_at) VALUES
             (u('stray use'), u('year offer'), u('dan'), 'ada@shop.test', u('ada order'), u('ada line'), 1, t(9))",
    ),
    breaks(
        &["upgrade_offers_follow_orders"],
        Id("ouse", "dan use"),
        "UPDATE upgrade_offer_uses SET released_at = t(10) WHERE id = u('dan use')",
    ),
    breaks(
        &["lines_have_claims"],
        Id("line", "dan upgrade line"),
        "DELETE FROM claims WHERE id = u('dan claim year'); UPDATE pools SET held = 0 WHERE id = u('year pool')",
    ),
    breaks(
        &["claims_have_lines"],
        Id("clm", "dan claim budget"),
        "UPDATE claims SET quantity = 1 WHERE id = u('dan claim budget');
         UPDATE pools SET held = 1 WHERE id = u('year budget pool')",
    ),
    breaks(
        &["pools_owned"],
        Id("pool", "year pool"),
        "UPDATE pools SET kind = 'upgrade_budget' WHERE id = u('year pool')",
    ),
    breaks(&["upgrade_offer_mails"], Word("upgrade_offer:"), "DELETE FROM upgrade_offer_tellings"),
    breaks(
        &["upgrade_offer_mails"],
        Word("told, no mail"),
        "DELETE FROM mails WHERE kind = 'upgrade_offer'",
    ),
];
