//! Refunds against payments, orders and lines. A refund that failed counts nowhere: its money stayed.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "sent_back_captures",
        says: "a capture that has to go back has a refund of all of it",
        prefix: "pay",
        sql: "SELECT p.id, format('captured %s, refunds %s', p.captured_minor, coalesce(r.amounts, 'none'))
              FROM payments p LEFT JOIN (
                  SELECT payment_id, string_agg(amount_minor::text, ' + ') AS amounts FROM refunds GROUP BY payment_id
              ) r ON r.payment_id = p.id
              WHERE p.sent_back
                AND NOT EXISTS (SELECT FROM refunds f WHERE f.payment_id = p.id AND f.amount_minor = p.captured_minor)",
    },
    Invariant {
        name: "refunds_within_captured",
        says: "what is refunded of a payment is at most what was captured, for its order and (unless it is sent back as \
               Stripe took it) in its currency",
        prefix: "pay",
        sql: "SELECT p.id, format('captured %s %s, refunded %s', p.captured_minor, p.currency, r.amount)
              FROM payments p JOIN (
                  SELECT payment_id, coalesce(sum(amount_minor) FILTER (WHERE state <> 'failed'), 0) AS amount,
                         min(order_id::text) AS first_order, max(order_id::text) AS last_order,
                         min(currency) AS first_currency, max(currency) AS last_currency
                  FROM refunds GROUP BY payment_id) r ON r.payment_id = p.id
              WHERE r.amount > p.captured_minor
                 OR r.first_order <> p.order_id::text OR r.last_order <> p.order_id::text
                 OR (NOT p.sent_back AND (r.first_currency <> p.currency OR r.last_currency <> p.currency))",
    },
    Invariant {
        name: "order_refunds",
        says: "what an order says is refunded is the sum of its refunds, without captures that are sent back, \
               and its state says so",
        prefix: "ord",
        sql: "SELECT o.id, format('%s, total %s, says %s, its refunds %s', o.state, o.total_minor, o.refunded_minor,
                                  coalesce(r.amount, 0))
              FROM orders o LEFT JOIN (
                  SELECT f.order_id, sum(f.amount_minor) AS amount
                  FROM refunds f LEFT JOIN payments p ON p.id = f.payment_id
                  WHERE f.state <> 'failed' AND p.sent_back IS NOT TRUE GROUP BY f.order_id) r ON r.order_id = o.id
              WHERE o.refunded_minor <> coalesce(r.amount, 0)
                 OR NOT CASE o.state
                     WHEN 'refunded' THEN o.refunded_minor = o.total_minor
                     WHEN 'partly_refunded' THEN o.refunded_minor > 0 AND o.refunded_minor < o.total_minor
                     ELSE o.refunded_minor = 0 END",
    },
    Invariant {
        name: "refund_lines",
        says: "the lines of a refund are of its order and add up to it with its part of the shipping, or it has none",
        prefix: "ref",
        sql: "SELECT f.id, format('amount %s, its lines %s', f.amount_minor, l.amount)
              FROM refunds f JOIN (
                  SELECT r.refund_id, sum(r.amount_minor) AS amount,
                         min(l.order_id::text) AS first_order, max(l.order_id::text) AS last_order
                  FROM refund_lines r JOIN order_lines l ON l.id = r.line_id GROUP BY r.refund_id
              ) l ON l.refund_id = f.id
              WHERE l.amount + f.shipping_minor <> f.amount_minor
                 OR l.first_order <> f.order_id::text OR l.last_order <> f.order_id::text",
    },
    Invariant {
        name: "lines_refunded",
        says: "what a line says is refunded is the sum of its parts of refunds",
        prefix: "line",
        sql: "SELECT l.id, format('says %s, its refunds %s', l.refunded_minor, coalesce(r.amount, 0))
              FROM order_lines l LEFT JOIN (
                  SELECT x.line_id, sum(x.amount_minor) AS amount
                  FROM refund_lines x JOIN refunds f ON f.id = x.refund_id
                  LEFT JOIN payments p ON p.id = f.payment_id
                  WHERE f.state <> 'failed' AND p.sent_back IS NOT TRUE GROUP BY x.line_id) r ON r.line_id = l.id
              WHERE l.refunded_minor <> coalesce(r.amount, 0)",
    },
];
