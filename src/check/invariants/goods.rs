//! Goods: stock against its ledger, parcels against lines, rights against orders, caps of drops.

use super::super::Invariant;

/// Variants that go into a parcel, whole or in part.
macro_rules! shipped {
    () => {
        "(SELECT v.id FROM variants v JOIN products r ON r.id = v.product_id AND r.kind = 'goods'
          UNION SELECT b.bundle_id FROM bundle_parts b JOIN variants v ON v.id = b.part_id
          JOIN products r ON r.id = v.product_id AND r.kind = 'goods')"
    };
}
pub(super) use shipped;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "stock_moves",
        says: "the capacity of a variant's stock is the sum of its moves",
        prefix: "var",
        sql: "SELECT v.id, format('capacity %s, its moves %s', p.capacity, coalesce(m.quantity, 0))
              FROM variants v JOIN pools p ON p.id = v.pool_id AND p.kind = 'stock'
              LEFT JOIN (SELECT variant_id, sum(quantity) AS quantity FROM stock_moves GROUP BY variant_id) m
                  ON m.variant_id = v.id
              WHERE p.capacity <> coalesce(m.quantity, 0)",
    },
    Invariant {
        name: "lines_shipped",
        says: "what a line says is shipped is the sum of its parcels, of a paid order that is sent somewhere",
        prefix: "line",
        sql: "SELECT l.id, format('%s, says %s, its parcels %s', o.state, l.shipped, coalesce(s.quantity, 0))
              FROM order_lines l JOIN orders o ON o.id = l.order_id
              LEFT JOIN (SELECT line_id, sum(quantity) AS quantity FROM shipment_lines GROUP BY line_id) s
                  ON s.line_id = l.id
              WHERE l.shipped <> coalesce(s.quantity, 0)
                 OR (l.shipped > 0 AND (o.paid_at IS NULL OR o.ship_to IS NULL))",
    },
    Invariant {
        name: "rights_follow_lines",
        says: "a paid line of a digital good, alone or in a bundle, gives its buyer one right, which a full refund ends",
        prefix: "line",
        sql: "SELECT l.id, format('%s, refunded %s of %s, rights %s, live %s', o.state, l.refunded_minor, l.total_minor,
                                  coalesce(g.n, 0), coalesce(g.live, 0))
              FROM order_lines l JOIN orders o ON o.id = l.order_id
              LEFT JOIN (SELECT id, count(DISTINCT product_id) AS n FROM (
                      SELECT v.id, v.product_id FROM variants v JOIN products r ON r.id = v.product_id
                          WHERE r.kind = 'digital'
                      UNION ALL SELECT b.bundle_id, v.product_id FROM bundle_parts b JOIN variants v ON v.id = b.part_id
                          JOIN products r ON r.id = v.product_id WHERE r.kind = 'digital') given GROUP BY id) w
                  ON w.id = l.variant_id
              LEFT JOIN (SELECT line_id, count(*) AS n, count(*) FILTER (WHERE ended_at IS NULL) AS live,
                                min(account_id::text) AS first_account, max(account_id::text) AS last_account
                         FROM rights GROUP BY line_id) g ON g.line_id = l.id
              WHERE coalesce(g.n, 0) <> CASE WHEN o.paid_at IS NULL THEN 0 ELSE coalesce(w.n, 0) END
                 OR (g.live > 0 AND l.total_minor > 0 AND l.refunded_minor = l.total_minor)
                 OR g.first_account <> o.account_id::text OR g.last_account <> o.account_id::text",
    },
    Invariant {
        name: "drop_purchases",
        says: "units that count for the cap of a drop are those of its line, and count until its order ends without \
               payment, is cancelled, or a refund gives them back",
        prefix: "line",
        sql: "SELECT l.id, format('%s, %s units, released %s', o.state, u.quantity, u.released_at)
              FROM drop_purchases u JOIN order_lines l ON l.id = u.line_id JOIN orders o ON o.id = l.order_id
              LEFT JOIN (SELECT DISTINCT line_id FROM refund_lines WHERE restock) r ON r.line_id = l.id
              LEFT JOIN order_cancellations x ON x.order_id = o.id
              WHERE u.quantity <> l.quantity OR u.drop_id <> l.drop_id OR u.account_id <> o.account_id
                 OR (u.released_at IS NULL AND o.state IN ('cancelled', 'expired'))
                 OR (u.released_at IS NOT NULL AND o.state NOT IN ('cancelled', 'expired') AND r.line_id IS NULL
                     AND x.order_id IS NULL)",
    },
];
