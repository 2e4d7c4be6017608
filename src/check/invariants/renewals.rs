//! Renewals against their orders, and what members have planned for the end of their terms.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "renewals_paid",
        says: "a renewal is paid as long as one order of it was, of its account and plan",
        prefix: "ren",
        sql: "SELECT r.id, format('%s, %s paid orders%s', r.state, coalesce(l.paid, 0),
                                  CASE WHEN l.is_other THEN ', of another account or plan' ELSE '' END)
              FROM renewals r LEFT JOIN (
                  SELECT l.renewal_id, count(*) FILTER (WHERE o.paid_at IS NOT NULL) AS paid,
                         bool_or(o.account_id <> r.account_id OR l.plan_id <> r.plan_id) AS is_other
                  FROM order_lines l JOIN orders o ON o.id = l.order_id JOIN renewals r ON r.id = l.renewal_id
                  GROUP BY l.renewal_id) l ON l.renewal_id = r.id
              WHERE coalesce(l.paid, 0) <> CASE r.state WHEN 'paid' THEN 1 ELSE 0 END OR l.is_other",
    },
    Invariant {
        name: "charges_were_noticed",
        says: "a saved card is charged for a renewal alone, five days after its owner was told, and no more than he was told",
        prefix: "pay",
        sql: "SELECT c.payment_id, CASE WHEN r.id IS NULL THEN 'for no renewal'
                                        ELSE format('told at %s of %s, ordered at %s for %s', r.noticed_at, coalesce(r.told_minor, r.price_minor),
                                                    o.created_at, o.total_minor) END
              FROM card_charges c JOIN payments p ON p.id = c.payment_id JOIN orders o ON o.id = p.order_id
              LEFT JOIN order_lines l ON l.order_id = o.id AND l.kind = 'renewal'
              LEFT JOIN renewals r ON r.id = l.renewal_id
              WHERE r.id IS NULL OR r.noticed_at IS NULL OR o.created_at < r.noticed_at + interval '5 days'
                 OR o.total_minor > coalesce(r.told_minor, r.price_minor) OR r.charges = 0",
    },
    Invariant {
        name: "planned_changes",
        says: "what is planned for the end of an open membership of that account is a plan of a lower tier, or another one of its own",
        prefix: "mem",
        sql: "SELECT m.id, CASE WHEN s.account_id <> m.account_id THEN 'of another account'
                                ELSE format('%s follows %s', coalesce(n.code, 'nothing'), coalesce(p.code, 'nothing')) END
              FROM renewal_settings s JOIN memberships m ON m.id = s.membership_id JOIN tiers t ON t.id = m.tier_id
              LEFT JOIN plans p ON p.id = m.plan_id
              LEFT JOIN plans n ON n.id = s.next_plan_id LEFT JOIN tiers f ON f.id = n.tier_id
              WHERE s.account_id <> m.account_id OR m.state IN ('active', 'frozen')
                AND (n.id = p.id OR f.id <> t.id AND f.rank >= t.rank)",
    },
    Invariant {
        name: "cards_to_charge",
        says: "a membership that is renewed by card is of an account that Stripe knows",
        prefix: "mem",
        sql: "SELECT s.membership_id, 'no customer at Stripe' FROM renewal_settings s
              JOIN memberships m ON m.id = s.membership_id JOIN accounts a ON a.id = s.account_id
              WHERE s.is_on AND m.state IN ('active', 'frozen') AND a.stripe_customer_id IS NULL",
    },
];
