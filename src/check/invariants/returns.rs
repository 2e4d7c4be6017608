//! Goods to the door and back: promises, cancellations, returns against parcels, money and stock.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "shipping_promises",
        says: "a paid order of goods has a promise of when they are sent, open while something is still to be sent",
        prefix: "ord",
        sql: "SELECT o.id, CASE WHEN p.order_id IS NULL THEN 'no promise' WHEN o.paid_at IS NULL THEN 'not paid'
                                ELSE format('%s, done %s, lines to send %s', o.state, p.done_at, coalesce(l.n, 0)) END
              FROM orders o LEFT JOIN shipping_promises p ON p.order_id = o.id
              LEFT JOIN order_cancellations x ON x.order_id = o.id
              LEFT JOIN (SELECT order_id, count(*) AS n FROM order_lines
                         WHERE fulfilled_at IS NULL AND NOT (total_minor > 0 AND refunded_minor = total_minor)
                         GROUP BY order_id) l ON l.order_id = o.id
              WHERE (o.paid_at IS NOT NULL AND o.ship_to IS NOT NULL) <> (p.order_id IS NOT NULL)
                 OR (p.order_id IS NOT NULL AND (p.done_at IS NULL) <>
                     (o.state <> 'refunded' AND x.order_id IS NULL AND coalesce(l.n, 0) > 0))",
    },
    Invariant {
        name: "cancellations",
        says: "a paid order that was cancelled has sent nothing, has given back what it took (but for lines that \
               were refunded before), and its refund is its own; without one nothing of its money was left, and a mail tells of it",
        prefix: "ord",
        sql: "SELECT x.order_id, format('%s, shipped %s, live claims %s, refund %s', o.state, coalesce(l.shipped, 0),
                                        coalesce(c.n, 0), coalesce(f.cause, 'none'))
              FROM order_cancellations x JOIN orders o ON o.id = x.order_id
              LEFT JOIN refunds f ON f.id = x.refund_id
              LEFT JOIN mails m ON m.cause = 'cancelled:ord_' || replace(x.order_id::text, '-', '')
              LEFT JOIN (SELECT order_id, sum(shipped) AS shipped FROM order_lines GROUP BY order_id) l
                  ON l.order_id = x.order_id
              LEFT JOIN (SELECT c.order_id, count(*) AS n
                         FROM claims c JOIN order_cancellations x ON x.order_id = c.order_id
                         WHERE c.state IN ('held', 'taken')
                           AND NOT EXISTS (SELECT FROM refund_lines y WHERE y.line_id = c.line_id
                                                                        AND y.refund_id IS DISTINCT FROM x.refund_id)
                         GROUP BY c.order_id) c ON c.order_id = x.order_id
              WHERE o.paid_at IS NULL OR l.shipped > 0 OR c.n > 0
                 OR f.order_id <> x.order_id
                 OR f.cause <> 'cancelled:ord_' || replace(x.order_id::text, '-', '')
                 OR (f.id IS NULL AND (o.refunded_minor <> o.due_minor OR m.id IS NULL))",
    },
    Invariant {
        name: "lines_restocked",
        says: "a line that gave its claims back after it was paid says so, and one that says so was cancelled, or refunded by \
               who wanted it back on sale",
        prefix: "line",
        sql: "SELECT l.id, format('restocked %s, %s of %s claims live', l.restocked_at, c.live, c.n)
              FROM order_lines l JOIN orders o ON o.id = l.order_id AND o.paid_at IS NOT NULL
              LEFT JOIN (SELECT line_id, count(*) AS n, count(*) FILTER (WHERE state IN ('held', 'taken')) AS live
                         FROM claims GROUP BY line_id) c ON c.line_id = l.id
              LEFT JOIN (SELECT DISTINCT line_id FROM refund_lines WHERE restock) r ON r.line_id = l.id
              LEFT JOIN order_cancellations x ON x.order_id = o.id
              WHERE (l.restocked_at IS NULL AND c.n > 0 AND c.live = 0)
                 OR (l.restocked_at IS NOT NULL AND r.line_id IS NULL AND x.order_id IS NULL
                     -- What a benefit gave has no part in a refund: it goes with the rest.
                     AND NOT (l.benefit_id IS NOT NULL AND EXISTS (SELECT FROM refunds b WHERE b.order_id = o.id)))",
    },
    Invariant {
        name: "returned_units",
        says: "what a line says is returned is the sum of its returns that weren't rejected or given up, what was asked \
               for until it arrives, then what arrived, and no more than was shipped; each is of its order",
        prefix: "line",
        sql: "SELECT l.id, format('shipped %s, says %s, its returns %s', l.shipped, l.returned, coalesce(r.units, 0))
              FROM order_lines l LEFT JOIN (
                  SELECT x.line_id, min(r.order_id::text) AS first_order, max(r.order_id::text) AS last_order,
                         sum(CASE WHEN r.state IN ('requested', 'approved') THEN x.quantity
                                  WHEN r.received_at IS NOT NULL THEN x.restocked + x.written_off ELSE 0 END) AS units
                  FROM return_lines x JOIN returns r ON r.id = x.return_id GROUP BY x.line_id) r ON r.line_id = l.id
              WHERE l.returned <> coalesce(r.units, 0) OR l.returned > l.shipped
                 OR r.first_order <> l.order_id::text OR r.last_order <> l.order_id::text",
    },
    Invariant {
        name: "return_states",
        says: "a return has lines, has received something just where it has arrived, and has ended where its state says so",
        prefix: "ret",
        sql: "SELECT r.id, format('%s, received %s at %s, ended %s', r.state, coalesce(x.units, 0), r.received_at, r.ended_at)
              FROM returns r LEFT JOIN (
                  SELECT return_id, sum(restocked + written_off) AS units FROM return_lines GROUP BY return_id) x
                  ON x.return_id = r.id
              WHERE x.return_id IS NULL OR (x.units > 0) <> (r.received_at IS NOT NULL)
                 OR (r.received_at IS NOT NULL AND r.state NOT IN ('received', 'refunded', 'closed'))
                 OR (r.received_at IS NULL AND r.state IN ('received', 'refunded'))
                 OR (r.decided_at IS NULL AND r.state NOT IN ('requested', 'cancelled'))
                 OR (r.decided_at IS NOT NULL AND r.state = 'requested')
                 OR (r.ended_at IS NULL) <> (r.state IN ('requested', 'approved', 'received'))",
    },
    Invariant {
        name: "return_refunds",
        says: "a return that was paid back has a refund of its own, line by line, within what its lines cost; another \
               return has none",
        prefix: "ret",
        sql: "SELECT r.id, format('%s, refund %s, its lines %s, the refund''s %s', r.state, coalesce(f.cause, 'none'),
                                  x.amounts, coalesce(y.amounts, 'none'))
              FROM returns r LEFT JOIN refunds f ON f.id = r.refund_id
              JOIN (SELECT x.return_id, sum(x.refunded_minor) AS amount, bool_or(x.refunded_minor > l.total_minor) AS is_over,
                           string_agg(x.line_id || ' ' || x.refunded_minor, ', ' ORDER BY x.line_id)
                               FILTER (WHERE x.refunded_minor > 0) AS amounts
                    FROM return_lines x JOIN order_lines l ON l.id = x.line_id GROUP BY x.return_id) x
                  ON x.return_id = r.id
              LEFT JOIN LATERAL (
                  SELECT string_agg(line_id || ' ' || amount_minor, ', ' ORDER BY line_id) AS amounts
                  FROM (SELECT z.line_id, sum(z.amount_minor) AS amount_minor
                        FROM refunds s JOIN refund_lines z ON z.refund_id = s.id
                        WHERE s.id = f.id
                           OR (s.order_id = f.order_id AND s.cause = 'credit_of:ref_' || replace(f.id::text, '-', ''))
                        GROUP BY z.line_id) z) y ON true
              WHERE x.is_over OR (r.state = 'refunded') <> (f.id IS NOT NULL) OR (f.id IS NULL AND x.amount > 0)
                 OR (f.id IS NOT NULL AND (f.order_id <> r.order_id OR x.amounts IS DISTINCT FROM y.amounts
                     OR f.cause <> 'return:ret_' || replace(r.id::text, '-', '')))",
    },
    Invariant {
        name: "lines_paid_back",
        says: "what the returns of a line have paid back, but for refunds that failed, is within what it cost",
        prefix: "line",
        sql: "SELECT l.id, format('cost %s, paid back %s', l.total_minor, x.amount)
              FROM order_lines l JOIN (
                  SELECT x.line_id, sum(x.refunded_minor) AS amount
                  FROM return_lines x JOIN returns r ON r.id = x.return_id JOIN refunds f ON f.id = r.refund_id
                  WHERE f.state <> 'failed' GROUP BY x.line_id) x ON x.line_id = l.id
              WHERE x.amount > l.total_minor",
    },
    Invariant {
        name: "returns_in_stock",
        says: "units that came back to sale are in the ledger of stock, each part of a bundle with its own, and no others",
        prefix: "",
        sql: concat!(
            "SELECT coalesce(w.cause, m.cause), format('came back %s, moves %s', coalesce(w.quantity, 0), coalesce(m.quantity, 0))
             FROM (SELECT 'return:ret_' || replace(x.return_id::text, '-', '') || ':line_' || replace(x.line_id::text, '-', '')
                          || ':var_' || replace(g.variant_id::text, '-', '') AS cause, x.restocked * g.quantity AS quantity
                   FROM return_lines x JOIN order_lines l ON l.id = x.line_id JOIN (",
            "SELECT v.id AS article_id, v.id AS variant_id, 1::bigint AS quantity, v.pool_id
             FROM variants v JOIN products r ON r.id = v.product_id AND r.kind = 'goods'
             UNION ALL SELECT b.bundle_id, b.part_id, b.quantity, v.pool_id
             FROM bundle_parts b JOIN variants v ON v.id = b.part_id
             JOIN products r ON r.id = v.product_id AND r.kind = 'goods'",
            ") g ON g.article_id = l.variant_id AND g.pool_id IS NOT NULL WHERE x.restocked > 0) w
             FULL JOIN (SELECT cause, quantity FROM stock_moves WHERE reason = 'returned' AND cause LIKE 'return:%') m
                 ON m.cause = w.cause
             WHERE w.quantity IS DISTINCT FROM m.quantity"
        ),
    },
    Invariant {
        name: "return_mails",
        says: "an answer to a return, and its end without money, has a mail that tells of it",
        prefix: "ret",
        sql: "SELECT w.id, w.state || ', no mail'
              FROM (SELECT id, state, 'return:ret_' || replace(id::text, '-', '') || ':' || told AS cause
                    FROM returns CROSS JOIN (VALUES ('approved'), ('rejected'), ('closed')) AS words (told)
                    WHERE state = told OR (told = 'approved' AND decided_at IS NOT NULL AND state <> 'rejected')) w
              LEFT JOIN mails m ON m.cause = w.cause WHERE m.id IS NULL",
    },
];
