//! One place a person over a series of drives.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "places_follow_orders",
        says: "a place in a series that isn't released belongs to an order of the same account that is neither \
               cancelled nor expired",
        prefix: "ord",
        sql: "SELECT s.order_id, CASE WHEN s.account_id <> o.account_id THEN 'of another account'
                                      ELSE format('is %s', o.state) END
              FROM series_places s JOIN orders o ON o.id = s.order_id
              WHERE s.released_at IS NULL
                AND (s.account_id <> o.account_id OR o.state IN ('cancelled', 'expired'))",
    },
    Invariant {
        name: "orders_have_places",
        says: "a pending or paid order of a drive has one place in the drive's series",
        prefix: "ord",
        // What a refund puts back on sale may give back the place too.
        sql: "SELECT o.id, format('%s places in %s', coalesce(s.n, 0), w.series)
              FROM (SELECT DISTINCT l.order_id, d.series FROM order_lines l JOIN drives d ON d.id = l.drive_id
                    WHERE NOT EXISTS (SELECT FROM refund_lines r WHERE r.line_id = l.id AND r.restock)) w
              JOIN orders o ON o.id = w.order_id
              LEFT JOIN (SELECT order_id, series, count(*) AS n FROM series_places
                         WHERE released_at IS NULL GROUP BY order_id, series) s
                  ON s.order_id = o.id AND s.series = w.series
              WHERE o.state IN ('pending_payment', 'paid', 'fulfilled', 'partly_refunded') AND coalesce(s.n, 0) <> 1",
    },
    Invariant {
        name: "one_place_a_person",
        says: "an account, and a normalised address, has one place in a series",
        prefix: "ord",
        // Addresses stay out of the report; the orders' ids lead to them.
        sql: "SELECT p.order_id, 'the same account again in ' || p.series FROM series_places p
              JOIN (SELECT series, account_id FROM series_places WHERE released_at IS NULL
                    GROUP BY series, account_id HAVING count(*) > 1) d
                  ON d.series = p.series AND d.account_id = p.account_id
              WHERE p.released_at IS NULL
              UNION ALL
              SELECT p.order_id, 'the same address again in ' || p.series FROM series_places p
              JOIN (SELECT series, person_key FROM series_places WHERE released_at IS NULL
                    GROUP BY series, person_key HAVING count(*) > 1) d
                  ON d.series = p.series AND d.person_key = p.person_key
              WHERE p.released_at IS NULL
              UNION ALL
              SELECT min(o.id::text)::uuid, format('%s places in %s by the lines of its account', sum(l.quantity), d.series)
              FROM order_lines l JOIN drives d ON d.id = l.drive_id JOIN orders o ON o.id = l.order_id
              WHERE o.state IN ('pending_payment', 'paid', 'fulfilled', 'partly_refunded')
                AND NOT EXISTS (SELECT FROM refund_lines r WHERE r.line_id = l.id AND r.restock)
              GROUP BY d.series, o.account_id HAVING sum(l.quantity) > 1",
    },
];
