//! Crowdfunding: pledges against their lines, goals against their pledges, decisions against what followed from them.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "pledges_follow_lines",
        says: "a line of a crowdfunded drop is a pledge of its buyer, which counts from its payment until all of it is refunded",
        prefix: "line",
        sql: "SELECT l.id, format('%s, %s units, refunded %s of %s; counts %s units, %s', o.state, l.quantity,
                                  l.refunded_minor, l.total_minor, p.units, p.minor)
              FROM order_lines l JOIN drop_goals g ON g.drop_id = l.drop_id JOIN orders o ON o.id = l.order_id
              LEFT JOIN pledges p ON p.line_id = l.id
              WHERE p.line_id IS NULL OR p.account_id <> o.account_id OR p.drop_id <> l.drop_id
                 OR p.units <> CASE WHEN o.paid_at IS NOT NULL AND l.refunded_minor < l.total_minor
                                    THEN l.quantity ELSE 0 END
                 OR p.minor <> CASE WHEN o.paid_at IS NOT NULL THEN l.total_minor - l.refunded_minor ELSE 0 END",
    },
    Invariant {
        name: "goals_add_up",
        says: "what a goal says is pledged is the sum of its pledges, and its backers are the accounts behind them",
        prefix: "drop",
        sql: "SELECT g.drop_id, format('says %s units, %s, %s backers; its pledges %s, %s, %s', g.pledged_units,
                                       g.pledged_minor, g.backers, coalesce(p.units, 0), coalesce(p.minor, 0),
                                       coalesce(p.backers, 0))
              FROM drop_goals g LEFT JOIN (
                  SELECT drop_id, sum(units) AS units, sum(minor) AS minor,
                         count(DISTINCT account_id) FILTER (WHERE units > 0) AS backers
                  FROM pledges GROUP BY drop_id) p ON p.drop_id = g.drop_id
              WHERE g.pledged_units <> coalesce(p.units, 0) OR g.pledged_minor <> coalesce(p.minor, 0)
                 OR g.backers <> coalesce(p.backers, 0)",
    },
    Invariant {
        name: "goals_decided",
        says: "a goal is decided by its figures, missed by one already, after its end and within four days of it",
        prefix: "drop",
        // A day is left for the job that decides.
        sql: "SELECT g.drop_id, format('%s of %s %s, %s', CASE g.counts WHEN 'units' THEN g.decided_units ELSE g.decided_minor END,
                                       g.goal, g.counts, coalesce(g.outcome, 'not decided'))
              FROM drop_goals g JOIN drops d ON d.id = g.drop_id
              WHERE (g.outcome = 'reached') <>
                    (CASE g.counts WHEN 'units' THEN g.decided_units ELSE g.decided_minor END >= g.goal)
                 OR g.decided_at < least(d.closes_at, d.archived_at)
                 OR coalesce(g.decided_at, (SELECT now FROM clock))
                    > least(d.closes_at, d.archived_at) + interval '5 days'",
    },
    Invariant {
        name: "missed_goals_refunded",
        says: "all that was paid for a goal that was missed is refunded, or tried and Stripe refused, within 80 days of the \
               first order",
        prefix: "ord",
        // What still waits for its job is told of by owed_conclusions; here it must not have waited too long.
        sql: "SELECT o.id, format('%s, refunded %s of %s', o.state, o.refunded_minor, o.total_minor)
              FROM pledges p JOIN order_lines l ON l.id = p.line_id JOIN orders o ON o.id = l.order_id
              JOIN drop_goals g ON g.drop_id = p.drop_id AND g.outcome = 'missed'
              JOIN (SELECT p.drop_id, min(o.created_at) AS at FROM pledges p JOIN order_lines l ON l.id = p.line_id
                    JOIN orders o ON o.id = l.order_id GROUP BY p.drop_id) first ON first.drop_id = p.drop_id
              WHERE o.paid_at IS NOT NULL AND o.refunded_minor < o.total_minor
                AND (p.concluded_at IS NOT NULL OR (SELECT now FROM clock) > first.at + interval '80 days')
                AND NOT EXISTS (SELECT FROM refunds f WHERE f.order_id = o.id AND f.state = 'failed')",
    },
    Invariant {
        name: "goals_before_parcels",
        says: "nothing crowdfunded is shipped whose goal isn't reached, and nothing is refunded for a goal that isn't missed",
        prefix: "line",
        sql: "SELECT l.id, format('%s shipped, its goal %s', l.shipped, coalesce(g.outcome, 'isn''t decided'))
              FROM order_lines l JOIN drop_goals g ON g.drop_id = l.drop_id
              WHERE (l.shipped > 0 AND g.outcome IS DISTINCT FROM 'reached')
                 OR (g.outcome IS DISTINCT FROM 'missed' AND EXISTS (
                     SELECT FROM refunds f WHERE f.order_id = l.order_id AND f.cause LIKE 'goal_missed:%'))",
    },
];
