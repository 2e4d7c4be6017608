//! Payments against orders: nobody is charged what isn't sold, nothing is sold that isn't paid.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "orders_are_paid",
        says: "an order that was paid has one capture of exactly what was due (or nothing was due), another one has none \
               that isn't sent back",
        prefix: "ord",
        sql: "SELECT o.id, format('%s, due %s, captured %s by %s payments', o.state, o.due_minor,
                                  coalesce(p.captured, 0), coalesce(p.captures, 0))
              FROM orders o LEFT JOIN (
                  SELECT order_id, count(*) FILTER (WHERE captured_minor > 0 AND NOT sent_back) AS captures,
                         sum(captured_minor) FILTER (WHERE NOT sent_back) AS captured,
                         count(*) FILTER (WHERE state = 'not_needed') AS not_needed
                  FROM payments GROUP BY order_id) p ON p.order_id = o.id
              WHERE NOT CASE
                  WHEN p.order_id IS NULL THEN false
                  WHEN o.state IN ('pending_payment', 'cancelled', 'expired') THEN p.captures = 0
                  WHEN o.due_minor = 0 THEN p.captures = 0 AND p.not_needed = 1
                  ELSE p.captures = 1 AND p.captured = o.due_minor END",
    },
    Invariant {
        name: "captured_is_due",
        says: "what was captured is what was due of orders ever paid, and what is sent back",
        prefix: "",
        sql: "SELECT coalesce(p.currency, o.currency), format('captured %s, due and sent back %s',
                     coalesce(p.captured, 0), coalesce(o.due, 0) + coalesce(p.sent_back, 0))
              FROM (SELECT currency, sum(captured_minor) AS captured,
                           sum(captured_minor) FILTER (WHERE sent_back) AS sent_back
                    FROM payments GROUP BY currency) p
              FULL JOIN (SELECT currency, sum(due_minor) AS due FROM orders WHERE paid_at IS NOT NULL
                         GROUP BY currency) o ON o.currency = p.currency
              WHERE coalesce(p.captured, 0) <> coalesce(o.due, 0) + coalesce(p.sent_back, 0)",
    },
    Invariant {
        name: "payment_amounts",
        says: "a payment asks for what its order's due is; it succeeded when something was captured, and none is under \
               way where nothing is due",
        prefix: "pay",
        sql: "SELECT p.id, format('%s of %s %s, captured %s; due %s %s', p.state, p.amount_minor, p.currency,
                                  p.captured_minor, o.due_minor, o.currency)
              FROM payments p JOIN orders o ON o.id = p.order_id
              WHERE p.amount_minor <> o.due_minor OR p.currency <> o.currency
                 OR (p.amount_minor = 0 AND p.state NOT IN ('not_needed', 'expired'))
                 OR (p.amount_minor > 0 AND p.state = 'not_needed')
                 OR (p.state = 'succeeded') <> (p.captured_minor > 0)",
    },
    Invariant {
        name: "live_payments",
        says: "a payment is under way for a pending order alone, and one at a time",
        prefix: "ord",
        sql: "SELECT o.id, format('%s, %s payments', o.state, count(*)) FROM payments p JOIN orders o ON o.id = p.order_id
              WHERE p.state IN ('preparing', 'ready', 'processing') GROUP BY o.id
              HAVING count(*) > 1 OR o.state <> 'pending_payment'",
    },
    Invariant {
        name: "payment_attempts",
        says: "an order's payments are numbered 1, 2, 3 and on",
        prefix: "ord",
        sql: "SELECT order_id, format('%s payments, numbered %s to %s', count(*), min(attempt), max(attempt))
              FROM payments GROUP BY order_id
              HAVING min(attempt) <> 1 OR max(attempt) <> count(*) OR count(DISTINCT attempt) <> count(*)",
    },
];
