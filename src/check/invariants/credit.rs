//! Store credit against its ledger, orders, refunds and gift cards.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "credit_balances",
        says: "a balance of store credit, and what is owed, are the sums of the account's entries",
        prefix: "acc",
        sql: "SELECT coalesce(b.account_id, e.account_id),
                     format('says %s, owes %s; its entries %s and %s', b.balance_minor, b.owed_minor, e.amount, e.owed)
              FROM credit_balances b FULL JOIN (
                  SELECT account_id, sum(amount_minor) AS amount, sum(owed_minor) AS owed
                  FROM credit_entries GROUP BY account_id) e ON e.account_id = b.account_id
              WHERE coalesce(b.balance_minor, 0) <> coalesce(e.amount, 0)
                 OR coalesce(b.owed_minor, 0) <> coalesce(e.owed, 0)",
    },
    Invariant {
        name: "credit_of_orders",
        says: "an order that stands has taken the store credit that it is paid with from its own account; one that ended \
               unpaid has given all of it back",
        prefix: "ord",
        sql: "SELECT o.id, format('%s, paid with %s, its entries %s', o.state, o.credit_minor, coalesce(e.amount, 0))
              FROM orders o LEFT JOIN (
                  SELECT order_id, sum(amount_minor) AS amount, min(account_id::text) AS first_account,
                         max(account_id::text) AS last_account
                  FROM credit_entries WHERE kind IN ('order', 'order_returned') GROUP BY order_id) e ON e.order_id = o.id
              WHERE coalesce(-e.amount, 0) <> CASE WHEN o.state IN ('cancelled', 'expired') THEN 0 ELSE o.credit_minor END
                 OR e.first_account <> o.account_id::text OR e.last_account <> o.account_id::text",
    },
    Invariant {
        name: "credit_refunds",
        says: "a refund into store credit is in that of who bought, and no other is; one that was undone \
               was taken back",
        prefix: "",
        sql: "SELECT coalesce(f.cause, e.cause), format('refunded %s, entered %s', f.amount_minor, e.amount_minor)
              FROM (SELECT 'refund:ref_' || replace(f.id::text, '-', '') AS cause, f.amount_minor, o.account_id,
                           f.state = 'failed' AND NOT EXISTS (
                               SELECT FROM credit_entries b
                               WHERE b.cause = 'refund_undone:ref_' || replace(f.id::text, '-', '')) AS is_kept
                    FROM refunds f JOIN orders o ON o.id = f.order_id
                    WHERE f.payment_id IS NULL AND f.points IS NULL) f
              FULL JOIN (SELECT * FROM credit_entries WHERE kind = 'refund') e ON e.cause = f.cause
              WHERE f.amount_minor IS DISTINCT FROM e.amount_minor OR f.account_id IS DISTINCT FROM e.account_id
                 OR f.is_kept",
    },
    Invariant {
        name: "gift_cards_sold",
        says: "a line that sells a gift card has one of its worth, which is good for something only if it was paid for, and \
               for nothing once it was refunded unredeemed",
        prefix: "line",
        sql: "SELECT l.id, format('%s; the card of %s, %s', o.state, g.amount_minor,
                                  CASE WHEN g.activated_at IS NULL THEN 'asleep' ELSE 'live' END)
              FROM order_lines l JOIN orders o ON o.id = l.order_id LEFT JOIN gift_cards g ON g.line_id = l.id
              WHERE (l.kind = 'gift_card') <> (g.id IS NOT NULL)
                 OR (g.id IS NOT NULL AND (g.amount_minor <> l.unit_price_minor * l.quantity OR l.discount_minor <> 0
                     OR (g.activated_at IS NOT NULL) <> (o.paid_at IS NOT NULL)
                     OR (l.refunded_minor = l.total_minor AND g.redeemed_at IS NULL AND g.voided_at IS NULL)))",
    },
    Invariant {
        name: "gift_cards_redeemed",
        says: "a gift card that was redeemed is in the store credit of who did, once and in full, and no other is",
        prefix: "",
        sql: "SELECT coalesce(g.cause, e.cause), format('worth %s, entered %s', g.amount_minor, e.amount_minor)
              FROM (SELECT 'gift_card:gift_' || replace(id::text, '-', '') AS cause, amount_minor, redeemed_by
                    FROM gift_cards WHERE redeemed_at IS NOT NULL) g
              FULL JOIN (SELECT * FROM credit_entries WHERE kind = 'gift_card') e ON e.cause = g.cause
              WHERE g.amount_minor IS DISTINCT FROM e.amount_minor OR g.redeemed_by IS DISTINCT FROM e.account_id",
    },
];
