//! Channels: what is set aside for them against moves of stock, and what they report against where it came from. That what
//! they sold is what their pools say is taken is checked with all pools.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "channel_allocations",
        says: "what is set aside for a channel is what left stock for it",
        prefix: "pool",
        sql: "SELECT a.pool_id, format('capacity %s, its moves %s', p.capacity, coalesce(m.quantity, 0))
              FROM channel_allocations a JOIN pools p ON p.id = a.pool_id
              LEFT JOIN (SELECT c.channel_id, s.variant_id, -sum(s.quantity) AS quantity
                         FROM channel_moves c JOIN stock_moves s ON s.id = c.move_id GROUP BY 1, 2) m
                  ON m.channel_id = a.channel_id AND m.variant_id = a.variant_id
              WHERE p.capacity <> coalesce(m.quantity, 0)",
    },
    Invariant {
        name: "channel_sales",
        says: "a channel other than the own mall sells out of its allocation or out of open stock, and a report that is \
               taken back is taken back whole",
        prefix: "sale",
        sql: "SELECT s.id, CASE WHEN c.is_own THEN 'of the own mall' WHEN o.id IS NULL THEN format('%s of %s', l.quantity, v.sku)
                               ELSE 'not as it was reported' END
              FROM channel_sales s JOIN channels c ON c.id = s.channel_id
              JOIN channel_sale_lines l ON l.sale_id = s.id JOIN variants v ON v.id = l.variant_id
              LEFT JOIN channel_allocations a ON a.channel_id = s.channel_id AND a.variant_id = l.variant_id
              LEFT JOIN channel_sales o ON o.id = s.reverses
              LEFT JOIN channel_sale_lines b ON b.sale_id = s.reverses AND b.variant_id = l.variant_id
              WHERE c.is_own OR (l.pool_id <> v.pool_id AND l.pool_id IS DISTINCT FROM a.pool_id)
                 OR (o.id IS NULL AND l.quantity < 0)
                 OR (o.id IS NOT NULL AND (o.channel_id <> s.channel_id OR b.pool_id IS DISTINCT FROM l.pool_id
                     OR b.quantity IS DISTINCT FROM -l.quantity OR b.amount_minor IS DISTINCT FROM -l.amount_minor))
              UNION ALL
              SELECT s.id, 'a line of what it takes back is missing'
              FROM channel_sales s JOIN channel_sale_lines b ON b.sale_id = s.reverses
              LEFT JOIN channel_sale_lines l ON l.sale_id = s.id AND l.variant_id = b.variant_id
              WHERE l.sale_id IS NULL",
    },
];
