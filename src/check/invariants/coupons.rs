//! Uses of coupons against their orders, their codes and the pools of their campaigns.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "coupon_claims",
        says: "what an order claims as a whole is what its standing uses of coupons take of their campaigns' uses, days and \
               budgets",
        prefix: "ord",
        sql: "SELECT coalesce(c.order_id, w.order_id),
                     format('claims %s of pool %s, its uses %s', coalesce(c.quantity, 0),
                            coalesce(c.pool_id, w.pool_id), coalesce(w.quantity, 0))
              FROM (SELECT order_id, pool_id, sum(quantity) AS quantity FROM claims
                    WHERE line_id IS NULL AND state IN ('held', 'taken') GROUP BY order_id, pool_id) c
              FULL JOIN (
                  SELECT order_id, pool_id, sum(quantity) AS quantity FROM (
                      SELECT u.order_id, p.pool_id, 1::bigint AS quantity FROM coupon_uses u
                          JOIN coupon_campaigns p ON p.id = u.campaign_id WHERE u.released_at IS NULL
                      UNION ALL SELECT u.order_id, p.budget_pool_id, u.discount_minor + u.shipping_minor
                          FROM coupon_uses u JOIN coupon_campaigns p ON p.id = u.campaign_id WHERE u.released_at IS NULL
                      UNION ALL SELECT u.order_id, d.pool_id, 1 FROM coupon_uses u
                          JOIN coupon_days d ON d.campaign_id = u.campaign_id AND d.day = u.day
                          JOIN coupon_campaigns p ON p.id = u.campaign_id AND p.per_day IS NOT NULL
                          WHERE u.released_at IS NULL) parts
                  WHERE pool_id IS NOT NULL GROUP BY order_id, pool_id) w
                  ON w.order_id = c.order_id AND w.pool_id = c.pool_id
              WHERE coalesce(c.quantity, 0) <> coalesce(w.quantity, 0)",
    },
    Invariant {
        name: "coupon_uses_follow_orders",
        says: "a use of a coupon stands as long as its order does: it ends with an order that ends unpaid, and with one that is \
               paid only where that was cancelled or refunded as a whole",
        prefix: "use",
        sql: "SELECT u.id, format('%s, its order is %s', CASE WHEN u.released_at IS NULL THEN 'stands' ELSE 'ended' END,
                                  o.state)
              FROM coupon_uses u JOIN orders o ON o.id = u.order_id
              WHERE CASE WHEN o.state IN ('cancelled', 'expired') THEN u.released_at IS NULL
                         ELSE u.released_at IS NOT NULL
                              AND NOT EXISTS (SELECT FROM order_cancellations x WHERE x.order_id = o.id)
                              AND NOT EXISTS (SELECT FROM refund_lines r JOIN order_lines l ON l.id = r.line_id
                                              WHERE l.order_id = o.id AND r.restock) END",
    },
    Invariant {
        name: "coupon_discounts",
        says: "what was taken off a line is the sum of what offers and coupons gave",
        prefix: "line",
        sql: "SELECT l.id, format('%s off, offers and coupons gave %s', l.discount_minor,
                                  coalesce(o.minor, 0) + coalesce(c.minor, 0))
              FROM order_lines l
              LEFT JOIN (SELECT line_id, sum(discount_minor) AS minor FROM line_offers GROUP BY line_id) o
                  ON o.line_id = l.id
              LEFT JOIN (SELECT line_id, sum(discount_minor) AS minor FROM line_coupons GROUP BY line_id) c
                  ON c.line_id = l.id
              WHERE l.discount_minor <> coalesce(o.minor, 0) + coalesce(c.minor, 0)",
    },
    Invariant {
        name: "coupon_uses_add_up",
        says: "what a use took off lines of its order is the sum of its parts",
        prefix: "use",
        sql: "SELECT u.id, format('%s, its parts %s', u.discount_minor, coalesce(p.minor, 0))
              FROM coupon_uses u
              LEFT JOIN (SELECT c.use_id, sum(c.discount_minor) AS minor, bool_and(l.order_id = u.order_id) AS own
                         FROM line_coupons c JOIN order_lines l ON l.id = c.line_id
                         JOIN coupon_uses u ON u.id = c.use_id GROUP BY c.use_id) p ON p.use_id = u.id
              WHERE u.discount_minor <> coalesce(p.minor, 0) OR NOT coalesce(p.own, true)",
    },
    Invariant {
        name: "coupon_limits",
        says: "no person and no order uses a campaign oftener than it allows",
        prefix: "camp",
        sql: "SELECT c.id, format('%s uses %s times', coalesce(u.who, 'an order'), u.n)
              FROM coupon_campaigns c JOIN (
                  SELECT campaign_id, 'a person' AS who, count(*) AS n FROM coupon_uses
                      WHERE released_at IS NULL GROUP BY campaign_id, person_key
                  UNION ALL SELECT campaign_id, 'an account', count(*) FROM coupon_uses
                      WHERE released_at IS NULL GROUP BY campaign_id, account_id
                  UNION ALL SELECT campaign_id, NULL, count(*) FROM coupon_uses
                      WHERE released_at IS NULL GROUP BY campaign_id, order_id) u ON u.campaign_id = c.id
              WHERE u.n > CASE WHEN u.who IS NULL THEN c.per_order ELSE c.per_person END",
    },
    Invariant {
        name: "coupons_used_once",
        says: "a code that is good for one use has one that stands at most, of its campaign, by its owner",
        prefix: "cpn",
        sql: "SELECT c.id, format('%s standing uses', count(*)) FROM coupons c
              JOIN coupon_uses u ON u.coupon_id = c.id AND u.released_at IS NULL
              GROUP BY c.id
              HAVING (NOT c.is_shared AND count(*) > 1)
                  OR bool_or(u.campaign_id <> c.campaign_id OR u.is_single = c.is_shared
                             OR (c.account_id IS NOT NULL AND u.account_id <> c.account_id))",
    },
    Invariant {
        name: "give_outs_taken",
        says: "what a give-out gave is a coupon of its campaign in the wallet of who took it, and no person took more than he \
               may",
        prefix: "give",
        sql: "SELECT g.id, format('%s of one person, or a coupon that is another''s', max(t.n)) FROM give_outs g
              JOIN (SELECT c.give_out_id, count(*) AS n,
                           bool_or(p.account_id IS DISTINCT FROM c.account_id OR r.starts_at IS NULL
                                   OR p.campaign_id <> o.campaign_id) AS foreign_coupon
                    FROM give_out_claims c JOIN coupons p ON p.id = c.coupon_id
                    JOIN give_outs o ON o.id = c.give_out_id
                    LEFT JOIN give_out_rounds r ON r.give_out_id = c.give_out_id AND r.starts_at = c.round_at
                    GROUP BY c.give_out_id, c.person_key) t ON t.give_out_id = g.id
              WHERE t.n > g.per_person OR t.foreign_coupon GROUP BY g.id",
    },
    Invariant {
        name: "occasions_given",
        says: "what was given on an occasion is a coupon of its campaign in the wallet of whom it happened to, once a cause and \
               once a person and period",
        prefix: "occ",
        sql: "SELECT o.id, 'twice for one cause, or a coupon that is another''s' FROM occasions o
              JOIN (SELECT g.occasion_id,
                           bool_or(p.account_id IS DISTINCT FROM g.account_id OR p.campaign_id <> r.campaign_id)
                           OR count(DISTINCT g.cause) <> count(*)
                           OR count(DISTINCT (g.person_key, g.period)) <> count(*) AS wrong
                    FROM occasion_grants g JOIN coupons p ON p.id = g.coupon_id
                    JOIN occasions r ON r.id = g.occasion_id GROUP BY g.occasion_id) t ON t.occasion_id = o.id
              WHERE t.wrong",
    },
    Invariant {
        name: "coupon_mailings_given",
        says: "a mailing gave as many coupons of its campaign as it says, each into the wallet of its account, and at the end to \
               nobody twice",
        prefix: "mlg",
        sql: "SELECT m.id, format('says %s, %s are there', m.given, coalesce(t.n, 0)) FROM coupon_mailings m
              LEFT JOIN (SELECT a.mailing_id, count(*) AS n,
                                bool_or(p.account_id IS DISTINCT FROM a.account_id OR p.campaign_id <> s.campaign_id) AS wrong
                         FROM coupon_mailing_accounts a JOIN coupons p ON p.id = a.coupon_id
                         JOIN coupon_mailings s ON s.id = a.mailing_id GROUP BY a.mailing_id) t ON t.mailing_id = m.id
              WHERE m.given <> coalesce(t.n, 0) OR coalesce(t.wrong, false)",
    },
    Invariant {
        name: "coupon_issues_made",
        says: "as many codes of an issue are there as it says, and all of them once it has ended, unless it was revoked",
        prefix: "iss",
        sql: "SELECT i.id, format('says %s of %s, %s are there', i.made, i.quantity, coalesce(c.n, 0))
              FROM coupon_issues i
              LEFT JOIN (SELECT issue_id, count(*) AS n FROM coupons WHERE issue_id IS NOT NULL GROUP BY issue_id) c
                  ON c.issue_id = i.id
              WHERE i.made <> coalesce(c.n, 0)
                 OR (i.ended_at IS NOT NULL AND i.revoked_at IS NULL AND i.made <> i.quantity)",
    },
];
