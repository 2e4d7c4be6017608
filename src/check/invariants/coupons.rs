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
        says: "what a give-out gave is a coupon of its campaign, or one of its treat, in the wallet of who took it, and no person took more than he \
               may",
        prefix: "give",
        sql: "SELECT g.id, format('%s of one person, or a coupon that is another''s', max(t.n)) FROM give_outs g
              JOIN (SELECT c.give_out_id, count(*) AS n,
                           bool_or(r.starts_at IS NULL
                                   OR coalesce(p.account_id, h.account_id) IS DISTINCT FROM c.account_id
                                   OR p.campaign_id IS DISTINCT FROM o.campaign_id
                                   OR h.treat_id IS DISTINCT FROM o.treat_id) AS foreign_coupon
                    FROM give_out_claims c LEFT JOIN coupons p ON p.id = c.coupon_id
                    LEFT JOIN treat_codes h ON h.id = c.treat_code_id
                    JOIN give_outs o ON o.id = c.give_out_id
                    LEFT JOIN give_out_rounds r ON r.give_out_id = c.give_out_id AND r.starts_at = c.round_at
                    GROUP BY c.give_out_id, c.person_key) t ON t.give_out_id = g.id
              WHERE t.n > g.per_person OR t.foreign_coupon GROUP BY g.id",
    },
    Invariant {
        name: "games_given",
        says: "what a play won was handed over: the coupon lies in the player's wallet, the amount in the ledger; and nobody \
               played oftener than he may",
        prefix: "game",
        sql: "SELECT g.id, 'a play without its prize, a prize without its play, or one too many' FROM games g
              JOIN (SELECT p.game_id,
                           bool_or((z.kind = 'coupon') IS DISTINCT FROM (c.id IS NOT NULL AND c.account_id = p.account_id
                                       AND c.campaign_id = z.campaign_id) AND (z.id IS NOT NULL OR c.id IS NOT NULL)
                                   OR (z.kind = 'credit' AND e.amount_minor IS DISTINCT FROM z.amount_minor)
                                   OR (z.kind IS DISTINCT FROM 'credit' AND e.id IS NOT NULL)) AS wrong
                    FROM game_plays p LEFT JOIN game_prizes z ON z.id = p.prize_id LEFT JOIN coupons c ON c.id = p.coupon_id
                    LEFT JOIN credit_entries e ON e.kind = 'prize' AND e.account_id = p.account_id
                              AND e.cause = 'play:play_' || replace(p.id::text, '-', '')
                    GROUP BY p.game_id) t ON t.game_id = g.id
              WHERE t.wrong
              UNION ALL SELECT g.id, 'one person played too often' FROM games g
              JOIN (SELECT game_id, person_key, count(*) AS n FROM game_plays GROUP BY game_id, person_key) t
                  ON t.game_id = g.id AND t.n > g.plays_in_all
              UNION ALL SELECT g.id, 'one person played too often in a day' FROM games g
              JOIN (SELECT game_id, person_key, day, count(*) AS n FROM game_plays GROUP BY game_id, person_key, day) t
                  ON t.game_id = g.id AND t.n > g.plays_a_day",
    },
    Invariant {
        name: "packets_exact",
        says: "the parts of a packet sum to its amount; opened from the first on, and what nobody opened went back when it ended",
        prefix: "pkt",
        sql: "SELECT k.id, format('%s of %s in %s parts, %s opened, %s went back', t.minor, k.amount_minor, t.n, t.opened,
                                  k.returned_minor)
              FROM packets k JOIN (
                  SELECT packet_id, count(*) AS n, sum(amount_minor) AS minor, count(account_id) AS opened,
                         coalesce(sum(amount_minor) FILTER (WHERE account_id IS NOT NULL), 0) AS given,
                         coalesce(max(position + 1) FILTER (WHERE account_id IS NOT NULL), 0) AS last
                  FROM packet_parts GROUP BY packet_id) t ON t.packet_id = k.id
              WHERE t.n <> k.parts OR t.minor <> k.amount_minor OR t.last <> t.opened
                 OR t.given + k.returned_minor <> k.amount_minor
              UNION ALL SELECT k.id, 'no parts' FROM packets k
              WHERE NOT EXISTS (SELECT FROM packet_parts p WHERE p.packet_id = k.id)",
    },
    Invariant {
        name: "packets_paid",
        says: "the ledger of store credit has what a member put into a packet, each part that was opened and what came back to \
               its maker, and nothing else of packets",
        prefix: "pkt",
        sql: "SELECT coalesce(w.packet_id, k.id), format('%s: the ledger has %s, the packet says %s',
                     coalesce(w.cause, e.cause), coalesce(e.amount_minor, 0), coalesce(w.minor, 0))
              FROM (SELECT id AS packet_id, account_id, -amount_minor AS minor,
                           'packet:pkt_' || replace(id::text, '-', '') || ':made' AS cause
                    FROM packets WHERE account_id IS NOT NULL
                    UNION ALL SELECT packet_id, account_id, amount_minor,
                           'packet:pkt_' || replace(packet_id::text, '-', '') || ':' || position
                    FROM packet_parts WHERE account_id IS NOT NULL
                    UNION ALL SELECT id, account_id, returned_minor,
                           'packet:pkt_' || replace(id::text, '-', '') || ':returned'
                    FROM packets WHERE account_id IS NOT NULL AND returned_minor > 0) w
              FULL JOIN (SELECT * FROM credit_entries WHERE kind = 'packet') e ON e.cause = w.cause
              LEFT JOIN packets k ON split_part(e.cause, ':', 2) = 'pkt_' || replace(k.id::text, '-', '')
              WHERE w.cause IS NULL OR e.cause IS NULL OR e.amount_minor <> w.minor OR e.account_id <> w.account_id",
    },
    Invariant {
        name: "packets_end",
        says: "a packet that hasn't ended has the job that ends it",
        prefix: "pkt",
        sql: "SELECT k.id, 'no job ends it' FROM packets k
              LEFT JOIN jobs j ON j.kind = 'end_packet' AND j.state <> 'done'
                        AND j.payload ->> 'packet' = 'pkt_' || replace(k.id::text, '-', '')
              WHERE k.ended_at IS NULL AND j.id IS NULL",
    },
    Invariant {
        name: "chain_rights",
        says: "whoever opened a packet of a chain has one right to go on with it, used for one packet at most, which comes from \
               the one that was opened; only the first packet of a chain needs none",
        prefix: "chain",
        sql: "SELECT r.chain_id, 'a right without its part, or used for a packet that doesn''t come from it' FROM chain_rights r
              LEFT JOIN packet_parts p ON p.packet_id = r.packet_id AND p.account_id = r.account_id
              LEFT JOIN packets o ON o.id = r.packet_id LEFT JOIN packets s ON s.id = r.started_id
              WHERE p.packet_id IS NULL OR o.chain_id IS DISTINCT FROM r.chain_id
                 OR (r.started_id IS NOT NULL AND (s.chain_id IS DISTINCT FROM r.chain_id
                                                   OR s.parent_id IS DISTINCT FROM r.packet_id))
              UNION ALL SELECT k.chain_id, format('link %s came from no right', k.link) FROM packets k
              LEFT JOIN chain_rights r ON r.started_id = k.id
              WHERE k.chain_id IS NOT NULL AND k.link > 1 AND r.id IS NULL
              UNION ALL SELECT k.chain_id, 'a part that brought no right' FROM packet_parts p
              JOIN packets k ON k.id = p.packet_id AND k.chain_id IS NOT NULL
              LEFT JOIN chain_rights r ON r.packet_id = p.packet_id AND r.account_id = p.account_id
              WHERE p.account_id IS NOT NULL AND r.id IS NULL",
    },
    Invariant {
        name: "treat_codes_held",
        says: "a code of a treat is held by who claimed it and by nobody else",
        prefix: "tc",
        sql: "SELECT h.id, format('held %s, claimed %s times', h.account_id IS NOT NULL, count(c.id)) FROM treat_codes h
              LEFT JOIN give_out_claims c ON c.treat_code_id = h.id
              GROUP BY h.id HAVING count(c.id) <> CASE WHEN h.account_id IS NULL THEN 0 ELSE 1 END",
    },
    Invariant {
        name: "vouchers_redeemed",
        says: "what counters took is vouchers that hadn't ended, each once by a key of its merchant, told of in the audit log",
        prefix: "tc",
        sql: "SELECT h.id, format('%s in the audit log, taken by %s', coalesce(a.n, 0), coalesce(h.outlet, 'nobody'))
              FROM treat_codes h JOIN treats t ON t.id = h.treat_id LEFT JOIN api_keys k ON k.id = h.redeemed_by
              LEFT JOIN (SELECT subject_id, count(*) AS n FROM audit_log WHERE action = 'voucher.redeem'
                         GROUP BY subject_id) a ON a.subject_id = 'tc_' || replace(h.id::text, '-', '')
              WHERE coalesce(a.n, 0) <> CASE WHEN h.redeemed_at IS NULL THEN 0 ELSE 1 END
                 OR (h.redeemed_at IS NOT NULL
                     AND (t.kind <> 'voucher' OR h.expires_at <= h.redeemed_at OR k.merchant_id IS DISTINCT FROM t.merchant_id
                          OR k.outlet IS DISTINCT FROM h.outlet))",
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
    Invariant {
        name: "coupon_flags",
        says: "a use that is flagged was paid for, by a card that had paid for as many before; one that ended in a refund has \
               nothing left of its order's money",
        prefix: "use",
        sql: "SELECT f.use_id, format('%s before; %s, its order %s', f.earlier, coalesce(f.outcome, 'open'), o.state)
              FROM coupon_flags f JOIN coupon_uses u ON u.id = f.use_id JOIN orders o ON o.id = u.order_id
              WHERE o.paid_at IS NULL
                 OR NOT EXISTS (SELECT FROM payments p WHERE p.order_id = o.id AND p.card_fingerprint IS NOT NULL)
                 OR (f.outcome = 'refunded' AND o.refunded_minor < o.total_minor
                     AND NOT EXISTS (SELECT FROM refunds r WHERE r.order_id = o.id AND r.state = 'failed'))",
    },
];
