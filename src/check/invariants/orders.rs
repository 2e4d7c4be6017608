//! Orders against their lines, and against the keys under which they were asked for.

use super::super::Invariant;
use super::goods::shipped;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "order_totals",
        says: "total = subtotal - discount + shipping, due = total - points - credit",
        prefix: "ord",
        sql: "SELECT id, format('total %s, due %s', total_minor, due_minor) FROM orders
              WHERE total_minor <> subtotal_minor - discount_minor + shipping_minor
                 OR due_minor <> total_minor - points_minor - credit_minor OR due_minor < 0",
    },
    Invariant {
        name: "order_lines",
        says: "an order's subtotal and discount are the sums of its lines, a line's total its price less its discount, \
               and the order says whether one of them is a membership",
        prefix: "ord",
        sql: "SELECT o.id, CASE WHEN l.order_id IS NULL THEN 'no lines' ELSE
                     format('subtotal %s, discount %s; its lines %s, %s, %s', o.subtotal_minor, o.discount_minor,
                            l.subtotal, l.discount, l.total) END
              FROM orders o LEFT JOIN (
                  SELECT order_id, sum(unit_price_minor * quantity) AS subtotal, sum(discount_minor) AS discount,
                         sum(total_minor) AS total, bool_or(kind IN ('plan', 'renewal', 'upgrade')) AS has_membership,
                         bool_and(total_minor = unit_price_minor * quantity - discount_minor) AS adds_up
                  FROM order_lines GROUP BY order_id) l ON l.order_id = o.id
              WHERE l.order_id IS NULL OR l.subtotal <> o.subtotal_minor OR l.discount <> o.discount_minor
                 OR l.has_membership <> o.has_membership OR NOT l.adds_up",
    },
    Invariant {
        name: "one_pending_membership_order",
        says: "an account has one pending order of a membership",
        prefix: "ord",
        sql: "SELECT id, 'another one of its account is pending too' FROM (
                  SELECT id, count(*) OVER (PARTITION BY account_id) AS n FROM orders
                  WHERE has_membership AND state = 'pending_payment') pending
              WHERE n > 1",
    },
    Invariant {
        name: "lines_fulfilled",
        says: "a line of an order that was paid is fulfilled, of goods once all of it is shipped; one of another order isn't",
        prefix: "line",
        sql: concat!(
            "SELECT l.id, format('its order is %s, %s of %s shipped', o.state, l.shipped, l.quantity)
             FROM order_lines l JOIN orders o ON o.id = l.order_id LEFT JOIN ",
            shipped!(),
            " s ON s.id = l.variant_id
             WHERE (o.paid_at IS NOT NULL AND (s.id IS NULL OR l.shipped = l.quantity)) <> (l.fulfilled_at IS NOT NULL)"
        ),
    },
    Invariant {
        name: "orders_have_keys",
        says: "an order was placed under one idempotency key of its account, or of the guest who placed it",
        prefix: "ord",
        // Keys are kept for 72 hours; an hour is left for the job that removes them.
        sql: "SELECT o.id, format('%s keys', coalesce(k.n, 0))
              FROM orders o LEFT JOIN order_adoptions x ON x.order_id = o.id
              LEFT JOIN (SELECT resource, account_id, count(*) AS n FROM idempotency_keys
                                       WHERE route = 'POST /v1/orders' GROUP BY resource, account_id) k
                  ON k.resource = o.id AND k.account_id = coalesce(x.guest_id, o.account_id)
              WHERE o.created_at > (SELECT now FROM clock) - interval '71 hours' AND coalesce(k.n, 0) <> 1",
    },
    Invariant {
        name: "keys_have_orders",
        says: "an idempotency key of an order's route leads to an order of its account, which may have been a guest's since \
               adopted, or to a return of one",
        prefix: "",
        sql: "SELECT k.resource, k.route FROM idempotency_keys k
              WHERE k.route LIKE 'POST /v1/orders%'
                AND NOT EXISTS (
                    SELECT FROM (
                        SELECT o.id AS resource, false AS is_return, o.account_id, x.guest_id
                        FROM orders o LEFT JOIN order_adoptions x ON x.order_id = o.id
                        UNION ALL SELECT r.id, true, o.account_id, x.guest_id
                        FROM returns r JOIN orders o ON o.id = r.order_id
                        LEFT JOIN order_adoptions x ON x.order_id = o.id) w
                    WHERE w.resource = k.resource
                      AND w.is_return = (k.route LIKE 'POST /v1/orders/{id}/returns%')
                      AND k.account_id IN (w.account_id, w.guest_id))",
    },
];

#[cfg(test)]
mod tests {
    use crate::checkout::cancellations::service::ROUTE as CANCEL_ROUTE;
    use crate::checkout::orders::service::ROUTE;
    use crate::checkout::returns::routes::ROUTE as RETURN_ROUTE;

    #[test]
    fn keys_are_looked_for_under_the_routes_that_write_them() {
        assert_eq!(ROUTE, "POST /v1/orders");
        assert!(CANCEL_ROUTE.starts_with(ROUTE));
        assert_eq!(RETURN_ROUTE, "POST /v1/orders/{id}/returns");
    }
}
