//! Breakages of renewals and planned changes.

use super::breakages::Named::Id;
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["renewals_paid"],
        Id("ren", "ada renewal"),
        "UPDATE renewals SET state = 'paid', closed_at = t(9) WHERE id = u('ada renewal')",
    ),
    breaks(
        &["renewals_paid"],
        Id("ren", "ada renewal"),
        "UPDATE order_lines SET kind = 'renewal', renewal_id = u('ada renewal') WHERE id = u('ada line')",
    ),
    breaks(
        &["renewals_paid"],
        Id("ren", "ada renewal"),
        "UPDATE renewals SET state = 'paid', closed_at = t(9) WHERE id = u('ada renewal');
         UPDATE order_lines SET kind = 'renewal', renewal_id = u('ada renewal') WHERE id = u('bob line')",
    ),
    breaks(
        &["charges_were_noticed"],
        Id("pay", "bob payment 1"),
        "INSERT INTO card_charges VALUES (u('bob payment 1'))",
    ),
    breaks(
        &["charges_were_noticed"],
        Id("pay", "ada payment 1"),
        "UPDATE order_lines SET kind = 'renewal', renewal_id = u('ada renewal') WHERE id = u('ada line');
         UPDATE renewals SET state = 'paid', closed_at = t(9), charges = 1, price_minor = 1000000,
             noticed_at = t(0) - interval '4 days' WHERE id = u('ada renewal');
         INSERT INTO card_charges VALUES (u('ada payment 1'))",
    ),
    breaks(
        &["charges_were_noticed"],
        Id("pay", "ada payment 1"),
        "UPDATE order_lines SET kind = 'renewal', renewal_id = u('ada renewal') WHERE id = u('ada line');
         UPDATE renewals SET state = 'paid', closed_at = t(9), charges = 1, price_minor = 1,
             noticed_at = t(0) - interval '40 days' WHERE id = u('ada renewal');
         INSERT INTO card_charges VALUES (u('ada payment 1'))",
    ),
    breaks(
        &["planned_changes"],
        Id("mem", "ada membership"),
        "UPDATE renewal_settings SET is_on = false, next_plan_id = (SELECT plan_id FROM memberships
             WHERE id = u('ada membership')) WHERE membership_id = u('ada membership')",
    ),
    breaks(
        &["planned_changes"],
        Id("mem", "ada membership"),
        "UPDATE renewal_settings SET account_id = u('bob'), is_on = false WHERE membership_id = u('ada membership')",
    ),
    breaks(
        &["cards_to_charge"],
        Id("mem", "ada membership"),
        "UPDATE accounts SET stripe_customer_id = NULL WHERE id = u('ada')",
    ),
    breaks(&["owed_renewals"], Id("mem", "ada membership"), "DELETE FROM jobs WHERE kind = 'renew'"),
    breaks(
        &["owed_card_charges"],
        Id("pay", "eve payment 1"),
        "UPDATE renewals SET account_id = u('eve'), charges = 1, noticed_at = t(0) - interval '40 days',
             plan_id = (SELECT plan_id FROM order_lines WHERE id = u('eve line')), price_minor = 10000000
             WHERE id = u('ada renewal');
         UPDATE order_lines SET kind = 'renewal', renewal_id = u('ada renewal') WHERE id = u('eve line');
         UPDATE payments SET state = 'preparing' WHERE id = u('eve payment 1');
         INSERT INTO card_charges VALUES (u('eve payment 1'))",
    ),
];
