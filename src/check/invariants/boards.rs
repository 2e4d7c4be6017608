//! What drops have sold: the ledger against orders, the sums against the ledger, milestones against both.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "drop_sales",
        says: "a paid order is entered once as a sale of each drop that it bought in, with its units and money, at its time",
        prefix: "ord",
        sql: "SELECT coalesce(o.id, s.order_id), format('%s units and %s at %s, entered %s and %s at %s', o.units, o.revenue,
                                                       o.paid_at, s.units, s.revenue_minor, s.sold_at)
              FROM (SELECT o.id, l.drop_id, o.paid_at, sum(l.quantity) AS units, sum(l.total_minor) AS revenue
                    FROM order_lines l JOIN orders o ON o.id = l.order_id
                    WHERE l.drop_id IS NOT NULL AND o.paid_at IS NOT NULL GROUP BY o.id, l.drop_id) o
              FULL JOIN drop_sales s ON s.order_id = o.id AND s.drop_id = o.drop_id
              WHERE o.id IS NULL OR s.order_id IS NULL OR o.units <> s.units OR o.revenue <> s.revenue_minor
                 OR o.paid_at <> s.sold_at",
    },
    Invariant {
        name: "drop_tallies",
        says: "the sums of a drop's sales add up, sale by sale, to its tally",
        prefix: "drop",
        sql: "SELECT drop_id, format('%s units and %s after an order that makes %s and %s', units_after,
                                     revenue_after_minor, units, revenue)
              FROM (SELECT drop_id, units_after, revenue_after_minor, sum(units) OVER sofar AS units,
                           sum(revenue_minor) OVER sofar AS revenue
                    FROM drop_sales WINDOW sofar AS (PARTITION BY drop_id ORDER BY units_after)) s
              WHERE units_after <> units OR revenue_after_minor <> revenue
              UNION ALL
              SELECT coalesce(t.drop_id, s.drop_id), format('says %s units, %s orders and %s, sold %s, %s and %s', t.units,
                     t.orders, t.revenue_minor, coalesce(s.units, 0), coalesce(s.orders, 0), coalesce(s.revenue, 0))
              FROM drop_tallies t
              FULL JOIN (SELECT drop_id, sum(units) AS units, count(*) AS orders, sum(revenue_minor) AS revenue
                         FROM drop_sales GROUP BY drop_id) s ON s.drop_id = t.drop_id
              WHERE t.drop_id IS NULL OR t.units <> coalesce(s.units, 0) OR t.orders <> coalesce(s.orders, 0)
                 OR t.revenue_minor <> coalesce(s.revenue, 0)",
    },
    Invariant {
        name: "milestones",
        says: "a milestone was reached when the first sale was entered that made up its amount, and not before",
        prefix: "drop",
        sql: "SELECT m.drop_id, format('%s %s, says %s, reached %s', m.amount, m.kind, m.reached_at, f.sold_at)
              FROM drop_milestones m
              LEFT JOIN (SELECT DISTINCT ON (m.drop_id, m.kind, m.amount) m.drop_id, m.kind, m.amount, s.sold_at
                         FROM drop_milestones m JOIN drop_sales s ON s.drop_id = m.drop_id
                         WHERE CASE m.kind WHEN 'units' THEN s.units_after ELSE s.revenue_after_minor END >= m.amount
                         ORDER BY m.drop_id, m.kind, m.amount, s.units_after) f
                  ON f.drop_id = m.drop_id AND f.kind = m.kind AND f.amount = m.amount
              WHERE m.reached_at IS DISTINCT FROM f.sold_at",
    },
];
