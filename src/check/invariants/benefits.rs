//! Benefits: no more of them was used than their periods allow, and each use is of something.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "benefits_within_their_period",
        says: "of a benefit no member has used more in a period, and no person more in all where it is given once, than was \
               allowed when it was used",
        prefix: "acc",
        sql: "SELECT account_id, format('%s uses of %s in period %s, of %s', count(*), benefit_id, nth, max(allowed))
              FROM benefit_uses WHERE released_at IS NULL AND NOT is_once
              GROUP BY account_id, membership_id, benefit_id, nth HAVING count(*) > max(allowed)
              UNION ALL
              SELECT min(account_id::text)::uuid, format('%s uses of %s by one person, of %s', count(*), benefit_id, max(allowed))
              FROM benefit_uses WHERE released_at IS NULL AND is_once
              GROUP BY person_key, benefit_id HAVING count(*) > max(allowed)
              UNION ALL
              SELECT account_id, format('%s uses of %s by one account, of %s', count(*), benefit_id, max(allowed))
              FROM benefit_uses WHERE released_at IS NULL AND is_once
              GROUP BY account_id, benefit_id HAVING count(*) > max(allowed)",
    },
    Invariant {
        name: "benefit_periods_have_passed",
        says: "who used a benefit in its n-th period had been a member for n of them, without the time for which the membership \
               was frozen later",
        prefix: "bus",
        sql: "SELECT u.id, format('period %s of %s, %s after the start', u.nth, b.every, u.created_at - m.starts_at)
              FROM benefit_uses u JOIN benefits b ON b.id = u.benefit_id JOIN memberships m ON m.id = u.membership_id
              CROSS JOIN LATERAL (SELECT substring(b.every FROM '[0-9]+')::int AS n, right(b.every, 1) AS unit) p
              WHERE (b.every IS NULL AND u.nth > 0)
                 -- An hour for where the clocks change.
                 OR u.created_at - m.starts_at + interval '1 hour' < u.nth * p.n * CASE p.unit
                        WHEN 'Y' THEN interval '365 days' WHEN 'M' THEN interval '28 days' ELSE interval '23 hours' END",
    },
    Invariant {
        name: "benefit_uses_of_something",
        says: "a use of a benefit is of a coupon of its campaign, of a line that sells its article for nothing, of a parcel, or of \
               a service, each by who used it; of a line there are as many as it has units",
        prefix: "bus",
        sql: "SELECT u.id, format('%s: order %s, line %s, coupon %s', b.gives, o.number, l.position, c.code)
              FROM benefit_uses u JOIN benefits b ON b.id = u.benefit_id
              LEFT JOIN orders o ON o.id = u.order_id LEFT JOIN order_lines l ON l.id = u.line_id
              LEFT JOIN coupons c ON c.id = u.coupon_id
              WHERE (CASE b.gives
                  WHEN 'coupon' THEN c.id IS NOT NULL AND c.campaign_id = b.campaign_id AND c.account_id = u.account_id
                  WHEN 'article' THEN l.id IS NOT NULL AND l.order_id = o.id AND l.benefit_id = b.id AND l.variant_id = b.variant_id
                      AND l.total_minor = 0 AND o.account_id = u.account_id
                  WHEN 'free_shipping' THEN o.id IS NOT NULL AND l.id IS NULL AND o.ship_to IS NOT NULL
                      AND o.account_id = u.account_id
                  ELSE b.gives = 'service' AND o.id IS NULL AND c.id IS NULL END) IS NOT TRUE
              UNION ALL
              SELECT min(u.id::text)::uuid, format('%s uses of line %s, which has %s units', count(*), l.id, l.quantity)
              FROM benefit_uses u JOIN order_lines l ON l.id = u.line_id
              GROUP BY l.id HAVING count(*) <> l.quantity",
    },
    Invariant {
        name: "benefit_lines_are_counted",
        says: "a line that a benefit gives has a use of it",
        prefix: "line",
        sql: "SELECT l.id, 'no use of its benefit' FROM order_lines l
              WHERE l.benefit_id IS NOT NULL AND NOT EXISTS (SELECT FROM benefit_uses u WHERE u.line_id = l.id)",
    },
    Invariant {
        name: "benefits_follow_their_order",
        says: "what an order used of benefits counts as long as the order stands, and no longer",
        prefix: "bus",
        sql: "SELECT u.id, format('%s, of a %s order', CASE WHEN u.released_at IS NULL THEN 'counts' ELSE 'given back' END, o.state)
              FROM benefit_uses u JOIN orders o ON o.id = u.order_id LEFT JOIN order_lines l ON l.id = u.line_id
              WHERE (u.released_at IS NULL AND (o.state IN ('cancelled', 'expired') OR l.restocked_at IS NOT NULL))
                 OR (u.released_at IS NOT NULL AND o.state IN ('pending_payment', 'paid', 'fulfilled') AND l.restocked_at IS NULL
                     AND NOT EXISTS (SELECT FROM refunds r WHERE r.order_id = o.id))",
    },
];
