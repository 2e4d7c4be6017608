//! Mails that are owed. Queued is no failure; missing, doubled, or queued with no job to send it is one.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "receipts",
        says: "an order that was paid has one receipt, another one has none",
        prefix: "",
        sql: "SELECT coalesce(o.number, m.cause),
                     CASE WHEN m.cause IS NULL THEN 'paid, no receipt' ELSE 'a receipt of no paid order' END
              FROM (SELECT number, 'receipt:ord_' || replace(id::text, '-', '') AS cause
                    FROM orders WHERE paid_at IS NOT NULL) o
              FULL JOIN (SELECT cause FROM mails WHERE kind = 'receipt') m ON m.cause = o.cause
              WHERE o.cause IS NULL OR m.cause IS NULL",
    },
    Invariant {
        name: "welcome_mails",
        says: "a membership line that was paid has one welcome, another line has none",
        prefix: "",
        // What operators give has a welcome under the name of its term.
        sql: "SELECT coalesce(l.cause, m.cause),
                     CASE WHEN m.cause IS NULL THEN 'paid, no welcome' ELSE 'a welcome of no paid line' END
              FROM (SELECT 'welcome:line_' || replace(l.id::text, '-', '') AS cause
                    FROM order_lines l JOIN orders o ON o.id = l.order_id
                    WHERE l.kind IN ('plan', 'renewal') AND o.paid_at IS NOT NULL) l
              FULL JOIN (SELECT cause FROM mails WHERE kind IN ('welcome', 'renewed') AND cause NOT LIKE 'welcome:term_%') m
                  ON m.cause = l.cause
              WHERE l.cause IS NULL OR m.cause IS NULL",
    },
    Invariant {
        name: "refund_mails",
        says: "a refund has one mail that tells of it, of a cancelled order that of its cancellation",
        prefix: "",
        sql: "SELECT coalesce(f.cause, m.cause),
                     CASE WHEN m.cause IS NULL THEN 'no mail' ELSE 'a mail of no refund' END
              FROM (SELECT 'refund:ref_' || replace(id::text, '-', '') AS cause FROM refunds
                    -- the mail of its first part tells of it
                    WHERE payment_id IS NOT NULL OR cause NOT LIKE ALL (ARRAY['credit_of:%', 'points_of:%'])) f
              FULL JOIN (SELECT cause FROM mails WHERE kind = 'refunded'
                            OR (kind = 'order_cancelled' AND cause LIKE 'refund:%')) m ON m.cause = f.cause
              WHERE f.cause IS NULL OR m.cause IS NULL",
    },
    Invariant {
        name: "application_mails",
        says: "an application has a mail that it was received and, once it is decided, one that tells how",
        prefix: "",
        // Who was erased meanwhile has no address.
        sql: "SELECT w.cause, 'no mail'
              FROM (SELECT account_id, 'application:app_' || replace(id::text, '-', '') || ':received' AS cause
                    FROM drive_applications
                    UNION ALL
                    SELECT account_id, 'application:app_' || replace(id::text, '-', '') || ':decided'
                    FROM drive_applications WHERE state <> 'received') w
              JOIN accounts a ON a.id = w.account_id AND a.erased_at IS NULL
              WHERE NOT EXISTS (SELECT FROM mails m WHERE m.cause = w.cause)",
    },
    Invariant {
        name: "mail_causes",
        says: "a cause mails once",
        prefix: "mail",
        sql: "SELECT m.id, 'another one of the same cause' FROM mails m
              JOIN (SELECT cause FROM mails GROUP BY cause HAVING count(*) > 1) d ON d.cause = m.cause",
    },
];
