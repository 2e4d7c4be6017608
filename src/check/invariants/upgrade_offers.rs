//! Upgrade offers: uses against the lines that were ordered by them, and mails against who was told.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "upgrade_offer_uses_of_lines",
        says: "a line that was quoted by an upgrade offer, for its plan, has one use of it, by its buyer and of what \
               was quoted less, and every use is of such a line",
        prefix: "line",
        sql: "SELECT coalesce(w.line_id, u.line_id), CASE WHEN u.id IS NULL THEN 'no use of its offer'
                         WHEN w.line_id IS NULL THEN 'a use of an offer that it wasn''t quoted by'
                         ELSE format('used %s, quoted %s', u.discount_minor, w.discount_minor) END
              FROM (SELECT l.id AS line_id, l.order_id, o.account_id, q.account_id AS quoted, q.offer_id,
                           q.discount_minor, q.plan_id
                    FROM order_lines l JOIN orders o ON o.id = l.order_id
                    JOIN upgrade_quotes q ON q.id = l.upgrade_quote_id
                    WHERE q.offer_id IS NOT NULL) w
              LEFT JOIN upgrade_offers f ON f.id = w.offer_id
              FULL JOIN upgrade_offer_uses u ON u.line_id = w.line_id
              WHERE (u.offer_id, u.order_id, u.account_id, u.discount_minor)
                    IS DISTINCT FROM (w.offer_id, w.order_id, w.account_id, w.discount_minor)
                 OR w.quoted <> w.account_id OR f.plan_id <> w.plan_id",
    },
    Invariant {
        name: "upgrade_offers_once",
        says: "no account and no person has used an upgrade offer twice",
        prefix: "uof",
        sql: "SELECT offer_id, format('%s uses of one person', count(*)) FROM upgrade_offer_uses
              WHERE released_at IS NULL GROUP BY offer_id, person_key HAVING count(*) > 1
              UNION ALL SELECT offer_id, format('%s uses of one account', count(*)) FROM upgrade_offer_uses
              WHERE released_at IS NULL GROUP BY offer_id, account_id HAVING count(*) > 1",
    },
    Invariant {
        name: "upgrade_offers_follow_orders",
        says: "a use of an upgrade offer stands as long as its order does: it ends with an order that ends unpaid, \
               and with one that is paid only where its line went back on sale",
        prefix: "ouse",
        sql: "SELECT u.id, format('%s, of a %s order', CASE WHEN u.released_at IS NULL THEN 'stands' ELSE 'ended' END,
                                  o.state)
              FROM upgrade_offer_uses u JOIN order_lines l ON l.id = u.line_id JOIN orders o ON o.id = l.order_id
              WHERE (u.released_at IS NULL)
                 <> (o.state NOT IN ('cancelled', 'expired') AND l.restocked_at IS NULL)",
    },
    Invariant {
        name: "upgrade_offer_mails",
        says: "who was told of an upgrade offer has one mail of it, and nobody else has",
        prefix: "",
        sql: "SELECT coalesce(t.cause, m.cause),
                     CASE WHEN m.cause IS NULL THEN 'told, no mail' ELSE 'a mail, not told' END
              FROM (SELECT 'upgrade_offer:uof_' || replace(offer_id::text, '-', '') || ':acc_'
                           || replace(account_id::text, '-', '') AS cause FROM upgrade_offer_tellings) t
              FULL JOIN (SELECT cause FROM mails WHERE kind = 'upgrade_offer') m ON m.cause = t.cause
              WHERE t.cause IS NULL OR m.cause IS NULL",
    },
];
