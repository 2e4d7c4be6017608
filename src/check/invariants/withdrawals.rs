//! Withdrawals against orders, refunds and what their buyers were told.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "withdrawals_of_paid_orders",
        says: "a withdrawal is of an order that was paid, and what was paid back for it is a refund of that order",
        prefix: "wdr",
        sql: "SELECT w.id, format('%s; the order is %s', w.state, o.state)
              FROM withdrawals w JOIN orders o ON o.id = w.order_id LEFT JOIN refunds f ON f.id = w.refund_id
              WHERE o.paid_at IS NULL OR f.order_id <> w.order_id",
    },
    Invariant {
        name: "withdrawal_mails",
        says: "a withdrawal was acknowledged by a mail",
        prefix: "wdr",
        sql: "SELECT w.id, 'no acknowledgement' FROM withdrawals w
              LEFT JOIN mails m ON m.cause = 'withdrawal:wdr_' || replace(w.id::text, '-', '') || ':received'
              WHERE m.id IS NULL",
    },
];
