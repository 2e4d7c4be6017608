//! Baskets against the orders that they became, and guests against what they may have.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "baskets_end_once",
        says: "a basket that is open was neither ordered nor merged; one that ended was one of the two, a guest's alone into \
               an account's",
        prefix: "bsk",
        sql:
            "SELECT b.id, format('ended %s, order %s, merged into %s', b.ended_at, b.order_id, b.merged_into)
              FROM baskets b LEFT JOIN baskets m ON m.id = b.merged_into
              WHERE (b.ended_at IS NOT NULL)::int <> num_nonnulls(b.order_id, b.merged_into)
                 OR (b.merged_into IS NOT NULL AND (b.account_id IS NOT NULL OR m.account_id IS NULL))",
    },
    Invariant {
        name: "baskets_ordered",
        says: "a basket ended when its order was placed, an account's basket by an order of that account, a guest's by an \
               order of the guest who is named after it, or was before an account adopted it",
        prefix: "bsk",
        sql: "SELECT b.id, format('order of %s, placed at %s', o.account_id, o.created_at)
              FROM baskets b JOIN orders o ON o.id = b.order_id JOIN accounts a ON a.id = o.account_id
              LEFT JOIN order_adoptions x ON x.order_id = o.id
              WHERE b.ended_at IS DISTINCT FROM o.created_at OR b.account_id <> o.account_id
                 OR (a.is_guest AND a.id <> b.id) OR x.guest_id <> b.id",
    },
    Invariant {
        name: "guests",
        says: "a guest has one order with a token, or none and no address once an account has adopted it, and nothing that only \
               an account has; no other order has a token",
        prefix: "acc",
        sql: "SELECT a.id, format('%s orders, %s tokens, %s sessions, memberships and rights', coalesce(o.n, 0),
                                  coalesce(o.tokens, 0), coalesce(h.n, 0))
              FROM accounts a
              LEFT JOIN (SELECT o.account_id, count(*) AS n, count(t.order_id) AS tokens
                         FROM orders o LEFT JOIN order_tokens t ON t.order_id = o.id GROUP BY o.account_id) o
                  ON o.account_id = a.id
              LEFT JOIN (SELECT account_id, count(*) AS n FROM (SELECT account_id FROM sessions
                         UNION ALL SELECT account_id FROM memberships UNION ALL SELECT account_id FROM rights) held
                         GROUP BY account_id) h ON h.account_id = a.id
              LEFT JOIN order_adoptions x ON x.guest_id = a.id
              LEFT JOIN (SELECT account_id, count(*) AS n FROM order_adoptions GROUP BY account_id) y ON y.account_id = a.id
              WHERE (a.is_guest AND (h.n > 0 OR y.n > 0 OR a.email_key IS NOT NULL OR a.password_hash IS NOT NULL
                     OR CASE WHEN x.guest_id IS NULL THEN coalesce(o.n, 0) <> 1 OR o.tokens <> 1
                             ELSE o.n > 0 OR num_nonnulls(a.email, a.person_key) > 0 END))
                 OR (NOT a.is_guest AND (x.guest_id IS NOT NULL OR o.tokens > coalesce(y.n, 0)))",
    },
    Invariant {
        name: "adoptions",
        says: "an order that an account adopted is that account's, and so are the mails about it",
        prefix: "ord",
        sql: "SELECT x.order_id, format('adopted by %s, stands under %s, %s mails left', x.account_id, o.account_id,
                                        coalesce(m.n, 0))
              FROM order_adoptions x JOIN orders o ON o.id = x.order_id
              LEFT JOIN (SELECT m.account_id, count(*) AS n FROM mails m JOIN order_adoptions x ON x.guest_id = m.account_id
                         GROUP BY m.account_id) m ON m.account_id = x.guest_id
              WHERE o.account_id <> x.account_id OR m.n > 0",
    },
];
