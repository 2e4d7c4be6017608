//! Ways to break what holds of store credit, gift cards, and cards that use a coupon too often.

use super::breakages::Named::{Id, Word};
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["credit_balances"],
        Id("acc", "gia"),
        "UPDATE credit_balances SET balance_minor = balance_minor + 1 WHERE account_id = u('gia')",
    ),
    breaks(&["credit_balances"], Id("acc", "gia"), "DELETE FROM credit_balances WHERE account_id = u('gia')"),
    breaks(
        &["credit_of_orders"],
        Id("ord", "gia order"),
        "UPDATE credit_entries SET amount_minor = -4000 WHERE kind = 'order';
         UPDATE credit_balances SET balance_minor = 4000 WHERE account_id = u('gia')",
    ),
    breaks(
        &["credit_of_orders"],
        Id("ord", "eve order"),
        "UPDATE credit_entries SET order_id = u('eve order') WHERE kind = 'order'",
    ),
    breaks(
        &["credit_refunds"],
        Word("refund:stray"),
        "INSERT INTO credit_entries (id, account_id, kind, cause, amount_minor, created_at)
             VALUES (u('stray'), u('gia'), 'refund', 'refund:stray', 1, t(3));
         UPDATE credit_balances SET balance_minor = balance_minor + 1 WHERE account_id = u('gia')",
    ),
    breaks(
        &["gift_cards_sold"],
        Id("line", "gia line"),
        "DELETE FROM gift_cards WHERE line_id = u('gia line')",
    ),
    breaks(
        &["gift_cards_sold"],
        Id("line", "gia line"),
        "UPDATE gift_cards SET activated_at = t(1), delivered_at = t(1), code_hash = '\\x03' WHERE line_id = u('gia line')",
    ),
    breaks(
        &["gift_cards_redeemed"],
        Word("gift_card:gift_"),
        "UPDATE gift_cards SET amount_minor = 9000 WHERE id = u('given card')",
    ),
    breaks(
        &["gift_cards_redeemed"],
        Word("gift_card:gift_"),
        "UPDATE gift_cards SET redeemed_at = NULL, redeemed_by = NULL WHERE id = u('given card')",
    ),
    breaks(
        &["owed_gift_cards"],
        Id("gift", "coming card"),
        "DELETE FROM jobs WHERE kind = 'deliver_gift_card'",
    ),
    breaks(
        &["coupon_flags"],
        Id("use", "cara use"),
        "INSERT INTO coupon_flags (use_id, earlier, is_refunded, created_at) VALUES (u('cara use'), 1, false, t(2))",
    ),
    breaks(
        &["owed_repeat_refunds", "coupon_flags"],
        Id("ord", "cara order"),
        "INSERT INTO coupon_flags (use_id, earlier, is_refunded, created_at) VALUES (u('cara use'), 1, true, t(2))",
    ),
];
