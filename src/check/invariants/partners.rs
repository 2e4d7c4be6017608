//! Commissions of partners against their orders, and payouts against what they pay. What the orders of a code claim of its cap
//! is looked at with the other pools.

use super::super::Invariant;

/// What of an order's lines a commission is of, which is no more than was charged: in all, and what of it has gone back.
macro_rules! sold {
    () => {
        "(SELECT l.order_id, least(sum(l.total_minor), r.due_minor) AS sold,
                 least(sum(l.total_minor), r.due_minor) - least(sum(l.total_minor - l.refunded_minor), r.due_minor) AS refunded
          FROM order_lines l JOIN orders r ON r.id = l.order_id
          WHERE l.kind <> 'gift_card' GROUP BY l.order_id, r.due_minor)"
    };
}

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "partner_codes",
        says: "a partner's code is among the invite codes, of no account",
        prefix: "",
        sql: "SELECT coalesce(p.code, c.code), CASE WHEN p.id IS NULL THEN 'nobody''s' ELSE 'not among them, or a member''s' END
              FROM partner_codes p FULL JOIN (SELECT code FROM invite_codes WHERE account_id IS NULL) c ON c.code = p.code
              WHERE p.id IS NULL OR c.code IS NULL",
    },
    Invariant {
        name: "commissions_earned",
        says: "an order that came by a partner's code was paid and earned once, for the partner whose code it is, the rate of \
               what its goods and terms come to and was charged",
        prefix: "ord",
        sql: concat!(
            "SELECT o.order_id, CASE WHEN r.paid_at IS NULL THEN 'it isn''t paid' WHEN e.id IS NULL THEN 'nothing is entered'
                                     ELSE format('%s of %s at %s, lines %s', e.amount_minor, e.basis_minor, e.rate_bp, l.sold)
                                     END
             FROM partner_orders o JOIN partner_codes c ON c.id = o.code_id JOIN orders r ON r.id = o.order_id
             LEFT JOIN commissions e ON e.order_id = o.order_id AND e.number = 0
             LEFT JOIN ",
            sold!(),
            " l ON l.order_id = o.order_id
             WHERE r.paid_at IS NULL OR e.id IS NULL OR e.partner_id <> c.partner_id OR e.rate_bp <> c.rate_bp
                OR e.basis_minor <> l.sold OR e.amount_minor <> round(e.basis_minor * e.rate_bp / 10000.0)"
        ),
    },
    Invariant {
        name: "commissions_reversed",
        says: "what is taken back of a commission is within what was earned, and follows what was refunded of the order: all \
               of it where the payment was lost or the partner bought it himself; unless a job has yet to look at the order",
        prefix: "ord",
        sql: concat!(
            "SELECT e.order_id, format('earned %s of %s, kept %s, refunded %s', e.amount_minor, e.basis_minor, s.kept, l.refunded)
             FROM commissions e
             JOIN (SELECT order_id, sum(amount_minor) AS kept, count(DISTINCT partner_id) AS partners,
                          (array_agg(reason ORDER BY number DESC))[1] AS last
                   FROM commissions GROUP BY order_id) s ON s.order_id = e.order_id
             JOIN ",
            sold!(),
            " l ON l.order_id = e.order_id
             LEFT JOIN (SELECT DISTINCT order_id FROM disputes WHERE state = 'lost') d ON d.order_id = e.order_id
             LEFT JOIN (SELECT DISTINCT payload ->> 'order' AS ord FROM jobs
                        WHERE kind = 'follow_invite' AND state <> 'done') j
                 ON j.ord = 'ord_' || replace(e.order_id::text, '-', '')
             WHERE e.number = 0
               AND (s.kept < 0 OR s.kept > e.amount_minor OR s.partners <> 1
                    OR (j.ord IS NULL AND e.basis_minor > 0
                        AND s.kept <> CASE WHEN d.order_id IS NOT NULL OR s.last = 'own_order' THEN 0
                                      ELSE e.amount_minor - round(e.amount_minor * l.refunded / e.basis_minor) END))"
        ),
    },
    Invariant {
        name: "partner_payouts",
        says: "a payout is the sum of its entries, which are its partner's and in no other payout",
        prefix: "pout",
        sql: "SELECT p.id, format('%s for %s entries, they are %s for %s', p.amount_minor, p.entries, coalesce(s.amount, 0),
                                  coalesce(s.n, 0))
              FROM partner_payouts p LEFT JOIN (
                  SELECT x.payout_id, count(*) AS n, sum(e.amount_minor) AS amount, count(DISTINCT e.partner_id) AS partners,
                         min(e.partner_id::text) AS partner, bool_or(twice.n > 1) AS is_twice
                  FROM partner_payout_entries x JOIN commissions e ON e.id = x.entry_id
                  JOIN (SELECT entry_id, count(*) AS n FROM partner_payout_entries GROUP BY entry_id) twice
                      ON twice.entry_id = x.entry_id
                  GROUP BY x.payout_id) s ON s.payout_id = p.id
              WHERE s.n IS NULL OR s.amount <> p.amount_minor OR s.n <> p.entries OR s.partners <> 1
                 OR s.partner <> p.partner_id::text OR s.is_twice",
    },
];
