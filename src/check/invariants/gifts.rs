//! Gift memberships against the lines that sold them and the terms that they gave.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "gifts_sold",
        says: "a line that sells a gift has one of its plan, of its buyer, which is good for something only if it was paid for, and \
               for nothing once it was refunded",
        prefix: "line",
        sql: "SELECT l.id, format('%s; a gift %s', o.state, CASE WHEN g.id IS NULL THEN 'is missing'
                                  WHEN g.activated_at IS NULL THEN 'asleep' ELSE 'live' END)
              FROM order_lines l JOIN orders o ON o.id = l.order_id LEFT JOIN gifts g ON g.line_id = l.id
              WHERE (l.kind = 'gift') <> (g.id IS NOT NULL)
                 OR (g.id IS NOT NULL AND (g.plan_id <> l.plan_id OR g.account_id <> o.account_id
                     OR (g.activated_at IS NOT NULL) <> (o.paid_at IS NOT NULL)
                     OR (l.total_minor > 0 AND l.refunded_minor = l.total_minor AND g.voided_at IS NULL)))",
    },
    Invariant {
        name: "gifts_redeemed",
        says: "a gift that was redeemed gave one term of its plan to who did, and no other term was given so",
        prefix: "",
        sql: "SELECT CASE WHEN g.id IS NULL THEN 'term_' || replace(t.id::text, '-', '')
                          ELSE 'gmem_' || replace(g.id::text, '-', '') END,
                     CASE WHEN g.id IS NULL THEN 'no gift' WHEN t.id IS NULL THEN 'no term' ELSE 'a term of another kind' END
              FROM (SELECT * FROM gifts WHERE redeemed_at IS NOT NULL) g
              FULL JOIN (SELECT * FROM membership_terms WHERE source = 'gift') t ON t.id = g.term_id
              WHERE g.id IS NULL OR t.id IS NULL OR t.account_id <> g.redeemed_by OR t.plan_id IS DISTINCT FROM g.plan_id",
    },
    Invariant {
        name: "gifts_void",
        says: "what a gift gave that was taken back doesn't run on",
        prefix: "gmem",
        sql: "SELECT g.id, format('its term ends %s', coalesce(t.ends_at, 'infinity'))
              FROM gifts g JOIN membership_terms t ON t.id = g.term_id JOIN memberships m ON m.id = t.membership_id
              WHERE g.voided_at IS NOT NULL AND t.ended_at IS NULL AND m.state IN ('active', 'frozen')
                AND (t.ends_at IS NULL OR t.ends_at > g.voided_at)",
    },
];
