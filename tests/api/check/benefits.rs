//! Breakages of benefits.

use super::breakages::Named::Id;
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["benefits_within_their_period"],
        Id("acc", "ada"),
        "ALTER TABLE benefit_uses DROP CONSTRAINT benefit_uses_within_allowed;
         INSERT INTO benefit_uses (id, benefit_id, account_id, membership_id, person_key, is_once, nth, ordinal, allowed,
                 worth_minor, created_at)
             SELECT u('meal ' || n), benefit_id, account_id, membership_id, person_key, false, 0, n, 2, 5000, t(7)
             FROM benefit_uses, generate_series(2, 3) n WHERE id = u('meal use')",
    ),
    breaks(
        &["benefits_within_their_period"],
        Id("acc", "ada"),
        "ALTER TABLE benefit_uses DROP CONSTRAINT benefit_uses_within_allowed;
         DROP INDEX benefit_uses_once;
         UPDATE benefits SET every = NULL, allowed = 1 WHERE id = u('meal benefit');
         INSERT INTO benefit_uses (id, benefit_id, account_id, membership_id, person_key, is_once, nth, ordinal, allowed,
                 worth_minor, created_at)
             SELECT u('meal 2'), benefit_id, account_id, membership_id, person_key, true, 0, 2, 1, 5000, t(7)
             FROM benefit_uses WHERE id = u('meal use');
         UPDATE benefit_uses SET is_once = true, allowed = 1 WHERE id = u('meal use')",
    ),
    breaks(
        &["benefit_periods_have_passed"],
        Id("bus", "coupon use"),
        "UPDATE benefit_uses SET nth = 1 WHERE id = u('coupon use')",
    ),
    breaks(
        &["benefit_uses_of_something"],
        Id("bus", "coupon use"),
        "UPDATE benefit_uses SET coupon_id = u('coupon 1') WHERE id = u('coupon use')",
    ),
    breaks(
        &["benefit_uses_of_something"],
        Id("bus", "meal use"),
        "UPDATE benefits SET gives = 'early_access' WHERE id = u('meal benefit')",
    ),
    breaks(
        &["benefit_uses_of_something"],
        Id("bus", "meal use"),
        "UPDATE benefit_uses SET order_id = u('ada order') WHERE id = u('meal use')",
    ),
    breaks(
        &["benefit_lines_are_counted"],
        Id("line", "ada line"),
        "UPDATE order_lines SET benefit_id = u('meal benefit') WHERE id = u('ada line')",
    ),
    breaks(
        &["benefits_follow_their_order"],
        Id("bus", "meal use"),
        "UPDATE orders SET ship_to = '{}' WHERE id = u('eve order');
         UPDATE benefit_uses SET account_id = u('eve'), order_id = u('eve order'), benefit_id = u('parcel benefit'),
             allowed = NULL, released_at = t(8) WHERE id = u('meal use')",
    ),
    breaks(
        &["benefits_follow_their_order"],
        Id("bus", "meal use"),
        "UPDATE orders SET ship_to = '{}' WHERE id = u('abe order');
         UPDATE benefit_uses SET account_id = u('abe'), order_id = u('abe order'), benefit_id = u('parcel benefit'),
             allowed = NULL WHERE id = u('meal use')",
    ),
];
