//! Breakages of what is given out.

use super::breakages::Named::Id;
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["occasions_given"],
        Id("occ", "occasion"),
        "UPDATE coupons SET account_id = u('bob') WHERE id = u('birthday coupon')",
    ),
    breaks(
        &["occasions_given"],
        Id("occ", "occasion"),
        "ALTER TABLE occasion_grants DROP CONSTRAINT occasion_grants_cause;
         INSERT INTO coupons (id, campaign_id, code, is_shared, account_id, created_at)
             VALUES (u('second'), u('campaign'), 'SECOND', false, u('bob'), t(1));
         INSERT INTO occasion_grants SELECT u('twice'), occasion_id, u('bob'), 'bob@shop.test', cause, period, u('second'), t(1)
             FROM occasion_grants;
         UPDATE pools SET taken = 2 WHERE id = u('occasion pool')",
    ),
    breaks(
        &["pools_taken"],
        Id("pool", "occasion pool"),
        "UPDATE pools SET taken = 2 WHERE id = u('occasion pool')",
    ),
    breaks(
        &["coupon_mailings_given"],
        Id("mlg", "mailing"),
        "DELETE FROM coupon_mailing_accounts",
    ),
];
