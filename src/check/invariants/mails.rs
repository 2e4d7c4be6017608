//! Mails that are owed. Queued is no failure; missing, doubled, or queued with no job to send it is one.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "receipts",
        says: "an order that was paid has one receipt, another one has none",
        prefix: "ord",
        sql: "SELECT o.id, format('%s, %s receipts', o.state, coalesce(m.n, 0))
              FROM orders o LEFT JOIN (SELECT data ->> 'order_number' AS number, count(*) AS n FROM mails
                                       WHERE kind = 'receipt' GROUP BY 1) m ON m.number = o.number
              WHERE coalesce(m.n, 0) <> CASE WHEN o.paid_at IS NULL THEN 0 ELSE 1 END",
    },
    Invariant {
        name: "welcome_mails",
        says: "who became a member by an order got a welcome",
        prefix: "",
        sql: "SELECT n.number, 'no welcome' FROM member_numbers n
              WHERE EXISTS (SELECT FROM membership_terms t WHERE t.account_id = n.account_id AND t.source = 'order')
                AND NOT EXISTS (SELECT FROM membership_terms t WHERE t.account_id = n.account_id AND t.source <> 'order')
                AND NOT EXISTS (SELECT FROM mails m WHERE m.kind = 'welcome' AND m.data ->> 'number' = n.number)",
    },
    Invariant {
        name: "mail_causes",
        says: "a cause mails once",
        prefix: "mail",
        sql: "SELECT id, 'another one of the same cause' FROM (
                  SELECT id, count(*) OVER (PARTITION BY cause) AS n FROM mails) m
              WHERE n > 1",
    },
];
