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
        name: "list_prices",
        says: "a variant's own price is the last one of its history",
        prefix: "var",
        sql: "SELECT v.id, format('costs %s, its history says %s', v.price_minor, h.price_minor)
              FROM variants v LEFT JOIN (
                  SELECT DISTINCT ON (variant_id) variant_id, price_minor FROM list_prices
                  ORDER BY variant_id, from_at DESC, id DESC) h ON h.variant_id = v.id
              WHERE h.price_minor IS DISTINCT FROM v.price_minor",
    },
    Invariant {
        name: "reminders_of_people",
        says: "nobody who was erased waits for a mail at the start of a sale",
        prefix: "acc",
        sql: "SELECT a.id, format('waits for the product %s', r.product_id)
              FROM product_reminders r JOIN accounts a ON a.id = r.account_id WHERE a.erased_at IS NOT NULL",
    },
    Invariant {
        name: "announced_stock",
        says: "of what was announced no more came or was taken back than there was",
        prefix: "var",
        sql: "SELECT variant_id, format('%s are announced', sum(quantity)) FROM stock_moves
              WHERE reason = 'announced' GROUP BY variant_id HAVING sum(quantity) < 0",
    },
    Invariant {
        name: "line_offers",
        says: "what an offer gave on a line is the line's article, no more of it than was bought and no more off than its \
               discount",
        prefix: "line",
        sql: "SELECT l.id, format('%s of %s units, %s of %s off', sum(g.quantity), l.quantity, sum(g.discount_minor),
                                  l.discount_minor)
              FROM line_offers g JOIN order_lines l ON l.id = g.line_id JOIN offers o ON o.id = g.offer_id
              GROUP BY l.id
              HAVING sum(g.quantity) FILTER (WHERE o.kind = 'gift') > l.quantity
                  OR sum(g.discount_minor) > l.discount_minor OR bool_or(o.get_variant_id IS DISTINCT FROM l.variant_id)",
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
