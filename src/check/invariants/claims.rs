//! Pools against claims, claims against orders.

use super::super::Invariant;

/// What each line takes from which pool. The pool of an audience is not among them: through which one a buyer came in is
/// known by the claim alone.
macro_rules! wanted {
    () => {
        "(SELECT l.id AS line_id, l.order_id, d.pool_id, 1::bigint AS quantity
          FROM order_lines l JOIN drives d ON d.id = l.drive_id
          UNION ALL SELECT l.id, l.order_id, i.pool_id, 1
          FROM order_lines l JOIN drive_invitations i ON i.id = l.invitation_id
          UNION ALL SELECT l.id, l.order_id, f.pool_id, 1
          FROM order_lines l JOIN upgrade_quotes q ON q.id = l.upgrade_quote_id
              JOIN upgrade_offers f ON f.id = q.offer_id
          UNION ALL SELECT l.id, l.order_id, f.budget_pool_id, q.discount_minor
          FROM order_lines l JOIN upgrade_quotes q ON q.id = l.upgrade_quote_id
              JOIN upgrade_offers f ON f.id = q.offer_id
          UNION ALL SELECT l.id, l.order_id, v.pool_id, l.quantity
          FROM order_lines l JOIN variants v ON v.id = l.variant_id
          WHERE v.pool_id IS NOT NULL AND l.f_code_id IS NULL
          UNION ALL SELECT l.id, l.order_id, v.pool_id, l.quantity * b.quantity
          FROM order_lines l JOIN bundle_parts b ON b.bundle_id = l.variant_id JOIN variants v ON v.id = b.part_id
          WHERE v.pool_id IS NOT NULL AND l.f_code_id IS NULL
          UNION ALL SELECT l.id, l.order_id, i.pool_id, l.quantity
          FROM order_lines l JOIN drop_items i ON i.drop_id = l.drop_id AND i.variant_id = l.variant_id
          WHERE l.f_code_id IS NULL
          UNION ALL SELECT l.id, l.order_id, f.pool_id, 1
          FROM order_lines l JOIN f_codes f ON f.id = l.f_code_id)"
    };
}

/// What referrals in some states take of their caps: of the programme's, its budget's, the inviter's and his day's.
macro_rules! referred {
    ($states:literal) => {
        concat!(
            "SELECT p.pool_id, 1::bigint AS quantity FROM referrals r CROSS JOIN referral_programme p
                 WHERE r.state IN (",
            $states,
            ") UNION ALL SELECT p.budget_pool_id, r.budget_minor FROM referrals r CROSS JOIN referral_programme p
                 WHERE r.state IN (",
            $states,
            ") UNION ALL SELECT c.pool_id, 1 FROM referrals r JOIN referral_caps c
                     ON c.inviter_id = r.inviter_id AND (c.day IS NULL OR c.day = r.day)
                 WHERE r.state IN (",
            $states,
            ")"
        )
    };
}

/// What is held of each pool: by orders, and by referrals that aren't decided.
macro_rules! held {
    () => {
        concat!(
            "(SELECT pool_id, sum(quantity) AS quantity FROM (
                  SELECT pool_id, quantity FROM claims WHERE state = 'held'
                  UNION ALL ",
            referred!("'pending', 'held'"),
            ") h GROUP BY pool_id)"
        )
    };
}

/// What was taken from each pool: by orders, by sales that channels reported, by who came to a give-out, by referrals, and by
/// orders that came by a partner's code.
macro_rules! taken {
    () => {
        concat!(
            "(SELECT pool_id, sum(quantity) AS quantity FROM (
              SELECT pool_id, quantity FROM claims WHERE state = 'taken'
              UNION ALL SELECT pool_id, quantity FROM channel_sale_lines
              UNION ALL SELECT k.pool_id, 1 FROM packet_parts p JOIN packets k ON k.id = p.packet_id
                  WHERE p.account_id IS NOT NULL
              UNION ALL SELECT c.links_pool_id, 1 FROM packets k JOIN chains c ON c.id = k.chain_id
              UNION ALL SELECT c.budget_pool_id, k.amount_minor - coalesce(k.returned_minor, 0)
                  FROM packets k JOIN chains c ON c.id = k.chain_id
              UNION ALL SELECT z.pool_id, 1 FROM game_plays p JOIN game_prizes z ON z.id = p.prize_id
                  WHERE z.pool_id IS NOT NULL
              UNION ALL SELECT o.pool_id, 1 FROM occasion_grants g JOIN occasions o ON o.id = g.occasion_id
              UNION ALL SELECT r.pool_id, 1 FROM give_out_claims c
                  JOIN give_out_rounds r ON r.give_out_id = c.give_out_id AND r.starts_at = c.round_at
              UNION ALL SELECT c.pool_id, 1 FROM partner_orders o JOIN partner_codes c ON c.id = o.code_id
              UNION ALL ",
            referred!("'rewarded'"),
            ") t GROUP BY pool_id)"
        )
    };
}

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "pools_held",
        says: "what a pool says is held is the sum of its held claims",
        prefix: "pool",
        sql: concat!(
            "SELECT p.id, format('says %s, its claims %s', p.held, coalesce(c.quantity, 0))
             FROM pools p LEFT JOIN ",
            held!(),
            " c ON c.pool_id = p.id
             WHERE p.held <> coalesce(c.quantity, 0)"
        ),
    },
    Invariant {
        name: "pools_taken",
        says: "what a pool says is taken is the sum of its taken claims and of what channels sold of it",
        prefix: "pool",
        sql: concat!(
            "SELECT p.id, format('says %s, its claims %s', p.taken, coalesce(c.quantity, 0))
             FROM pools p LEFT JOIN ",
            taken!(),
            " c ON c.pool_id = p.id
             WHERE p.taken <> coalesce(c.quantity, 0)"
        ),
    },
    Invariant {
        name: "pools_within_capacity",
        says: "what the claims on a pool hold and took is within its capacity",
        prefix: "pool",
        sql: concat!(
            "SELECT p.id, format('capacity %s, claims %s, says %s held and %s taken',
                                 p.capacity, coalesce(c.quantity, 0) + coalesce(h.quantity, 0), p.held, p.taken)
             FROM pools p LEFT JOIN ",
            taken!(),
            " c ON c.pool_id = p.id
             LEFT JOIN ",
            held!(),
            " h ON h.pool_id = p.id
             WHERE coalesce(c.quantity, 0) + coalesce(h.quantity, 0) > p.capacity OR p.held + p.taken > p.capacity
                OR p.held < 0 OR p.taken < 0"
        ),
    },
    Invariant {
        name: "pools_owned",
        says: "a pool belongs to one thing, of the kind that it says",
        prefix: "pool",
        sql: "SELECT p.id, format('kind %s, %s', p.kind, coalesce(o.kinds, 'nobody''s'))
              FROM pools p LEFT JOIN (
                  SELECT pool_id, count(*) AS n, string_agg(kind, ', ') AS kinds FROM (
                      SELECT pool_id, 'drive' AS kind FROM drives
                      UNION ALL SELECT pool_id, 'invitation' FROM drive_invitations
                      UNION ALL SELECT v.pool_id, CASE r.kind WHEN 'goods' THEN 'stock' ELSE 'limit' END
                          FROM variants v JOIN products r ON r.id = v.product_id WHERE v.pool_id IS NOT NULL
                      UNION ALL SELECT pool_id, 'drop' FROM drop_items
                      UNION ALL SELECT pool_id, 'audience' FROM drop_audiences WHERE pool_id IS NOT NULL
                      UNION ALL SELECT pool_id, 'channel' FROM channel_allocations
                      UNION ALL SELECT pool_id, 'coupon' FROM coupon_campaigns WHERE pool_id IS NOT NULL
                      UNION ALL SELECT budget_pool_id, 'coupon_budget' FROM coupon_campaigns
                          WHERE budget_pool_id IS NOT NULL
                      UNION ALL SELECT pool_id, 'coupon_day' FROM coupon_days
                      UNION ALL SELECT pool_id, 'give_out' FROM give_out_rounds
                      UNION ALL SELECT pool_id, 'occasion' FROM occasions
                      UNION ALL SELECT pool_id, 'packet' FROM packets
                      UNION ALL SELECT links_pool_id, 'chain_links' FROM chains
                      UNION ALL SELECT budget_pool_id, 'chain_budget' FROM chains
                      UNION ALL SELECT pool_id, 'prize' FROM game_prizes WHERE pool_id IS NOT NULL
                      UNION ALL SELECT pool_id, 'referral' FROM referral_programme
                      UNION ALL SELECT budget_pool_id, 'referral_budget' FROM referral_programme
                      UNION ALL SELECT pool_id, CASE WHEN day IS NULL THEN 'referral_inviter' ELSE 'referral_day' END
                          FROM referral_caps
                      UNION ALL SELECT pool_id, 'partner_code' FROM partner_codes
                      UNION ALL SELECT pool_id, 'upgrade_offer' FROM upgrade_offers
                      UNION ALL SELECT budget_pool_id, 'upgrade_budget' FROM upgrade_offers
                      UNION ALL SELECT pool_id, 'f_code' FROM f_codes) owners
                  GROUP BY pool_id) o ON o.pool_id = p.id
              WHERE coalesce(o.n, 0) <> 1 OR o.kinds <> p.kind",
    },
    Invariant {
        name: "drive_releases",
        says: "a drive that is let out in parts has a quota of their sum",
        prefix: "drv",
        sql: "SELECT d.id, format('quota %s, parts %s', p.capacity, r.quantity)
              FROM drives d JOIN pools p ON p.id = d.pool_id
              JOIN (SELECT drive_id, sum(quantity) AS quantity FROM drive_releases GROUP BY drive_id) r
                  ON r.drive_id = d.id
              WHERE p.capacity <> r.quantity",
    },
    Invariant {
        name: "claims_follow_orders",
        says: "a pending order's claims are held, a paid one's taken (or released by a refund that says so or \
               its cancellation),                a cancelled or expired one's released",
        prefix: "clm",
        // What an order claims as a whole is looked at by `coupon_claims`.
        // An order that was paid after its hold was released has the old claim, released, beside the new one.
        sql: "SELECT c.id, format('%s, its order is %s', c.state, o.state)
              FROM claims c JOIN orders o ON o.id = c.order_id
              WHERE NOT CASE WHEN o.state = 'pending_payment' THEN c.state = 'held'
                             WHEN o.state IN ('cancelled', 'expired') THEN c.state = 'released'
                             ELSE c.state <> 'held' END
              UNION ALL
              SELECT c.id, format('released, its order is %s', o.state)
              FROM claims c JOIN orders o ON o.id = c.order_id
              WHERE c.state = 'released' AND o.paid_at IS NOT NULL AND c.line_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM refund_lines r WHERE r.line_id = c.line_id AND r.restock)
                AND NOT EXISTS (SELECT FROM order_cancellations x WHERE x.order_id = c.order_id)
                -- What a benefit gave has no part in a refund: it goes with the rest.
                AND NOT EXISTS (SELECT FROM order_lines l JOIN refunds b ON b.order_id = l.order_id
                                WHERE l.id = c.line_id AND l.benefit_id IS NOT NULL)
                AND NOT EXISTS (SELECT FROM claims t WHERE t.line_id = c.line_id AND t.pool_id = c.pool_id
                                                       AND t.state = 'taken')",
    },
    Invariant {
        name: "claims_ended",
        says: "a claim that is held has no end, a released one has",
        prefix: "clm",
        sql: "SELECT id, state FROM claims
              WHERE (state = 'held' AND ended_at IS NOT NULL) OR (state = 'released' AND ended_at IS NULL)",
    },
    Invariant {
        name: "claims_have_lines",
        says: "a claim is of its line's order, on a pool of what the line sells, of so much as the line takes from it",
        prefix: "clm",
        sql: concat!(
            "SELECT c.id, CASE WHEN c.order_id <> l.order_id THEN 'another order''s line'
                               WHEN w.pool_id IS NULL AND a.id IS NULL THEN 'a pool that the line has no part in'
                               ELSE format('%s of %s', c.quantity, coalesce(w.quantity, l.quantity)) END
             FROM claims c JOIN order_lines l ON l.id = c.line_id
             LEFT JOIN ",
            wanted!(),
            " w ON w.line_id = c.line_id AND w.pool_id = c.pool_id
             LEFT JOIN drop_audiences a ON a.pool_id = c.pool_id AND a.drop_id = l.drop_id
             WHERE c.order_id <> l.order_id OR (w.pool_id IS NULL AND a.id IS NULL)
                OR c.quantity <> coalesce(w.quantity, l.quantity)"
        ),
    },
    Invariant {
        name: "lines_have_claims",
        says: "a line has one claim that isn't released on each pool that it takes from, unless its order ended without \
               payment, was cancelled, or a refund gave it back",
        prefix: "line",
        sql: concat!(
            "SELECT w.line_id, format('%s claims, %s of them live', coalesce(c.n, 0), coalesce(c.live, 0))
             FROM ",
            wanted!(),
            " w JOIN orders o ON o.id = w.order_id
             LEFT JOIN (SELECT line_id, pool_id, count(*) AS n,
                               count(*) FILTER (WHERE state IN ('held', 'taken')) AS live
                        FROM claims GROUP BY line_id, pool_id) c ON c.line_id = w.line_id AND c.pool_id = w.pool_id
             LEFT JOIN (SELECT DISTINCT line_id FROM refund_lines WHERE restock) r ON r.line_id = w.line_id
             LEFT JOIN order_cancellations x ON x.order_id = w.order_id
             WHERE c.n IS NULL
                OR (c.live <> 1 AND o.state NOT IN ('cancelled', 'expired')
                    AND r.line_id IS NULL AND x.order_id IS NULL
                    AND NOT EXISTS (SELECT FROM order_lines l JOIN refunds b ON b.order_id = l.order_id
                                    WHERE l.id = w.line_id AND l.benefit_id IS NOT NULL))"
        ),
    },
];
