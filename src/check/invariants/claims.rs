//! Pools against claims, claims against orders.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "pools_held",
        says: "what a pool says is held is the sum of its held claims",
        prefix: "pool",
        sql: "SELECT p.id, format('says %s, its claims %s', p.held, coalesce(c.quantity, 0))
              FROM pools p LEFT JOIN (SELECT pool_id, sum(quantity) AS quantity FROM claims
                                      WHERE state = 'held' GROUP BY pool_id) c ON c.pool_id = p.id
              WHERE p.held <> coalesce(c.quantity, 0)",
    },
    Invariant {
        name: "pools_taken",
        says: "what a pool says is taken is the sum of its taken claims",
        prefix: "pool",
        sql: "SELECT p.id, format('says %s, its claims %s', p.taken, coalesce(c.quantity, 0))
              FROM pools p LEFT JOIN (SELECT pool_id, sum(quantity) AS quantity FROM claims
                                      WHERE state = 'taken' GROUP BY pool_id) c ON c.pool_id = p.id
              WHERE p.taken <> coalesce(c.quantity, 0)",
    },
    Invariant {
        name: "pools_within_capacity",
        says: "what the claims on a pool hold and took is within its capacity",
        prefix: "pool",
        sql: "SELECT p.id, format('capacity %s, claims %s, says %s held and %s taken',
                                  p.capacity, coalesce(c.quantity, 0), p.held, p.taken)
              FROM pools p LEFT JOIN (SELECT pool_id, sum(quantity) AS quantity FROM claims
                                      WHERE state IN ('held', 'taken') GROUP BY pool_id) c ON c.pool_id = p.id
              WHERE coalesce(c.quantity, 0) > p.capacity OR p.held + p.taken > p.capacity
                 OR p.held < 0 OR p.taken < 0",
    },
    Invariant {
        name: "pools_owned",
        says: "a pool belongs to one drive or one invitation, as its kind says",
        prefix: "pool",
        sql: "SELECT p.id, format('kind %s, %s drives, %s invitations', p.kind, coalesce(d.n, 0), coalesce(i.n, 0))
              FROM pools p
              LEFT JOIN (SELECT pool_id, count(*) AS n FROM drives GROUP BY pool_id) d ON d.pool_id = p.id
              LEFT JOIN (SELECT pool_id, count(*) AS n FROM drive_invitations GROUP BY pool_id) i ON i.pool_id = p.id
              WHERE coalesce(d.n, 0) <> CASE p.kind WHEN 'drive' THEN 1 ELSE 0 END
                 OR coalesce(i.n, 0) <> CASE p.kind WHEN 'invitation' THEN 1 ELSE 0 END",
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
        says: "a pending order's claims are held, a paid one's taken (or released by a refund that says so), \
               a cancelled or expired one's released",
        prefix: "clm",
        // An order that was paid after its hold was released has the old claim, released, beside the new one.
        sql: "SELECT c.id, format('%s, its order is %s', c.state, o.state)
              FROM claims c JOIN orders o ON o.id = c.order_id
              WHERE NOT CASE WHEN o.state = 'pending_payment' THEN c.state = 'held'
                             WHEN o.state IN ('cancelled', 'expired') THEN c.state = 'released'
                             ELSE c.state <> 'held' END
              UNION ALL
              SELECT c.id, format('released, its order is %s', o.state)
              FROM claims c JOIN orders o ON o.id = c.order_id
              WHERE c.state = 'released' AND o.paid_at IS NOT NULL
                AND NOT EXISTS (SELECT FROM refund_lines r WHERE r.line_id = c.line_id AND r.restock)
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
        says: "a claim is of its line's order and quantity, on the pool of the line's drive or invitation",
        prefix: "clm",
        sql: "SELECT c.id, CASE WHEN c.order_id <> l.order_id THEN 'another order''s line'
                                WHEN c.quantity <> l.quantity THEN format('%s of %s', c.quantity, l.quantity)
                                ELSE 'a pool that the line has no part in' END
              FROM claims c JOIN order_lines l ON l.id = c.line_id
              LEFT JOIN drives d ON d.id = l.drive_id LEFT JOIN drive_invitations i ON i.id = l.invitation_id
              WHERE c.order_id <> l.order_id OR c.quantity <> l.quantity
                 OR (c.pool_id IS DISTINCT FROM d.pool_id AND c.pool_id IS DISTINCT FROM i.pool_id)",
    },
    Invariant {
        name: "lines_have_claims",
        says: "a line of a drive has one claim on the drive's pool (and one on its invitation's) that isn't released, \
               unless its order ended without payment or a refund gave it back",
        prefix: "line",
        sql: "SELECT w.line_id, format('%s claims, %s of them live', coalesce(c.n, 0), coalesce(c.live, 0))
              FROM (SELECT l.id AS line_id, l.order_id, d.pool_id
                    FROM order_lines l JOIN drives d ON d.id = l.drive_id
                    UNION ALL
                    SELECT l.id, l.order_id, i.pool_id
                    FROM order_lines l JOIN drive_invitations i ON i.id = l.invitation_id) w
              JOIN orders o ON o.id = w.order_id
              LEFT JOIN (SELECT line_id, pool_id, count(*) AS n,
                                count(*) FILTER (WHERE state IN ('held', 'taken')) AS live
                         FROM claims GROUP BY line_id, pool_id) c ON c.line_id = w.line_id AND c.pool_id = w.pool_id
              LEFT JOIN (SELECT DISTINCT line_id FROM refund_lines WHERE restock) r ON r.line_id = w.line_id
              WHERE c.n IS NULL
                 OR (c.live <> 1 AND o.state NOT IN ('cancelled', 'expired')
                     AND r.line_id IS NULL)",
    },
];
