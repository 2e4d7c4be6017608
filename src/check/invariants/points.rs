//! Points against their lots, orders, refunds and days.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "points_lots",
        says: "what has become of a lot of points is the sum of its entries, and an entry moves points of its own account's lots",
        prefix: "lot",
        sql: "SELECT l.id, format('pending %s, active %s, spent %s, expired %s, reversed %s; its entries %s, %s, %s, %s, %s',
                                  l.pending, l.active, l.spent, l.expired, l.reversed,
                                  e.pending, e.active, e.spent, e.expired, e.reversed)
              FROM points_lots l LEFT JOIN (
                  SELECT lot_id, sum(pending) AS pending, sum(active) AS active, sum(spent) AS spent,
                         sum(expired) AS expired, sum(reversed) AS reversed, sum(level) AS level,
                         count(*) FILTER (WHERE kind = 'earned') AS begins,
                         min(account_id::text) AS account, max(account_id::text) AS another
                  FROM points_entries GROUP BY lot_id) e ON e.lot_id = l.id
              WHERE e.lot_id IS NULL OR e.begins <> 1 OR e.account <> l.account_id::text OR e.another <> l.account_id::text
                 OR (l.pending, l.active, l.spent, l.expired, l.reversed)
                    IS DISTINCT FROM (e.pending, e.active, e.spent, e.expired, e.reversed)
                 OR e.level <> CASE WHEN l.active_at IS NULL THEN 0 ELSE l.level_points - l.level_reversed END",
    },
    Invariant {
        name: "points_balances",
        says: "a balance of points, and what is owed, are the sums of the account's entries",
        prefix: "acc",
        sql: "SELECT coalesce(b.account_id, e.account_id),
                     format('pending %s, active %s, owed %s; its entries %s, %s, %s', b.pending, b.active, b.owed,
                            e.pending, e.active, e.owed)
              FROM points_balances b FULL JOIN (
                  SELECT account_id, sum(pending) AS pending, sum(active) AS active, sum(owed) AS owed
                  FROM points_entries GROUP BY account_id) e ON e.account_id = b.account_id
              WHERE coalesce(b.pending, 0) <> coalesce(e.pending, 0) OR coalesce(b.active, 0) <> coalesce(e.active, 0)
                 OR coalesce(b.owed, 0) <> coalesce(e.owed, 0)",
    },
    Invariant {
        name: "points_of_orders",
        says: "an order that stands has taken the points that it is paid with from its own account, but for what a refund gave \
               back; one that ended unpaid has given all of them back; what they paid is spread over its lines",
        prefix: "ord",
        sql: "SELECT o.id, format('%s, paid with %s, %s came back, its entries %s; worth %s, on its lines %s', o.state, o.points,
                                  coalesce(f.points, 0), coalesce(e.spent, 0), o.points_minor, l.points_minor)
              FROM orders o JOIN (SELECT order_id, sum(points_minor) AS points_minor,
                                         bool_and(points_minor <= total_minor) AS fits
                                  FROM order_lines GROUP BY order_id) l ON l.order_id = o.id
              LEFT JOIN (SELECT order_id, sum(spent) AS spent, min(account_id::text) AS account,
                                max(account_id::text) AS another
                         FROM points_entries WHERE kind IN ('spent', 'returned') AND order_id IS NOT NULL
                         GROUP BY order_id) e ON e.order_id = o.id
              LEFT JOIN (SELECT order_id, sum(points) AS points, sum(amount_minor) AS minor FROM refunds
                         WHERE points IS NOT NULL AND state <> 'failed' GROUP BY order_id) f ON f.order_id = o.id
              WHERE coalesce(e.spent, 0) <> CASE WHEN o.state IN ('cancelled', 'expired') AND o.paid_at IS NULL THEN 0
                                                 ELSE o.points - coalesce(f.points, 0) END
                 OR e.account <> o.account_id::text OR e.another <> o.account_id::text
                 OR l.points_minor <> o.points_minor OR NOT l.fits
                 OR f.points > o.points OR f.minor > o.points_minor
                 OR (f.minor = o.points_minor) <> (f.points = o.points)",
    },
    Invariant {
        name: "points_earned",
        says: "an order that is final has earned what its rates give for the money that stays in its lines, once",
        prefix: "ord",
        // Where a job has yet to look, or whose account is gone, nothing is said.
        sql: "SELECT o.id, format('earned %s and %s, its lines give %s and %s', coalesce(p.kept, 0), coalesce(p.level, 0),
                                  w.points, w.level)
              FROM orders o JOIN accounts a ON a.id = o.account_id AND NOT a.is_guest AND a.erased_at IS NULL
              JOIN (SELECT order_id,
                           sum(floor(greatest(least(total_minor - points_minor - refunded_minor + points_back_minor,
                                                    total_minor - refunded_minor), 0)::numeric
                                     * points_rate_bp / 10000)) AS points,
                           sum(floor(greatest(least(total_minor - points_minor - refunded_minor + points_back_minor,
                                                    total_minor - refunded_minor), 0)::numeric
                                     * level_rate_bp / 10000)) AS level
                    FROM order_lines GROUP BY order_id) w ON w.order_id = o.id
              LEFT JOIN (SELECT order_id, sum(points - reversed - clawed_back) AS kept,
                                sum(level_points - level_reversed) AS level
                         FROM points_lots WHERE kind = 'order' GROUP BY order_id) p ON p.order_id = o.id
              WHERE o.paid_at IS NOT NULL
                AND NOT EXISTS (SELECT FROM disputes d WHERE d.order_id = o.id AND d.state = 'lost')
                AND NOT EXISTS (SELECT FROM jobs j WHERE j.kind = 'follow_points' AND j.state <> 'done'
                                AND j.payload ->> 'order' = 'ord_' || replace(o.id::text, '-', ''))
                AND (coalesce(p.kept, 0) <> w.points OR coalesce(p.level, 0) <> w.level)",
    },
    Invariant {
        name: "points_for_give_outs",
        says: "who took something that costs points has paid them, once",
        prefix: "",
        sql: "SELECT coalesce(c.cause, e.cause), format('costs %s, paid %s', c.points, e.points)
              FROM (SELECT 'give_out:' || c.id AS cause, c.account_id, g.points FROM give_out_claims c
                    JOIN give_outs g ON g.id = c.give_out_id WHERE g.points IS NOT NULL) c
              FULL JOIN (SELECT cause, account_id, sum(spent) AS points FROM points_entries
                         WHERE cause LIKE 'give_out:%' GROUP BY cause, account_id) e ON e.cause = c.cause
              WHERE c.points IS DISTINCT FROM e.points OR c.account_id IS DISTINCT FROM e.account_id",
    },
    Invariant {
        name: "check_ins",
        says: "a check-in goes on from the day before, and gave its points once",
        prefix: "",
        sql: "SELECT 'check_in:acc_' || replace(c.account_id::text, '-', '') || ':' || c.day,
                     format('the %s. day after %s; gave %s, earned %s', c.streak, coalesce(b.streak, 0), c.points, l.points)
              FROM check_ins c
              LEFT JOIN check_ins b ON b.account_id = c.account_id AND b.day = c.day - 1
              LEFT JOIN points_lots l
                  ON l.cause = 'check_in:acc_' || replace(c.account_id::text, '-', '') || ':' || c.day
              WHERE c.streak <> coalesce(b.streak, 0) + 1 OR c.points <> coalesce(l.points, 0)
              UNION ALL
              SELECT l.cause, 'points for no check-in' FROM points_lots l
              WHERE l.kind = 'check_in' AND NOT EXISTS (
                  SELECT FROM check_ins c WHERE c.account_id = l.account_id
                  AND l.cause = 'check_in:acc_' || replace(c.account_id::text, '-', '') || ':' || c.day)",
    },
];
