//! Referrals against their orders, and what they gave. What they claim of their caps is looked at with the other pools.

use super::super::Invariant;

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "referral_orders",
        says: "a referral was made by a paid order of its friend, and by the code of its inviter, who is somebody else",
        prefix: "rfr",
        // An account that has come before adopts a guest's order without its referral, which then ends.
        sql: "SELECT r.id, CASE WHEN c.code IS NULL THEN 'its inviter has no code' WHEN r.inviter_id = r.friend_id
                                THEN 'invites himself' WHEN o.paid_at IS NULL THEN 'its order isn''t paid'
                                ELSE 'its order is another one''s' END
              FROM referrals r JOIN orders o ON o.id = r.order_id
              LEFT JOIN invite_codes c ON c.account_id = r.inviter_id
              LEFT JOIN order_adoptions a ON a.order_id = o.id
              WHERE c.code IS NULL OR r.inviter_id = r.friend_id OR o.paid_at IS NULL
                 OR (o.account_id <> r.friend_id AND a.order_id IS NULL)",
    },
    Invariant {
        name: "referral_rewards",
        says: "what a referral promised waits as long as it does, and was given, lost or taken back as it ended; the store \
               credit that wasn't lost is what it takes of the budget",
        prefix: "rfr",
        sql: "SELECT r.id, format('%s, a reward is %s, budget %s', r.state, t.states, r.budget_minor)
              FROM referrals r JOIN (
                  SELECT referral_id, string_agg(state, ', ' ORDER BY side) AS states, array_agg(DISTINCT state) AS all_states,
                         coalesce(sum(amount_minor), 0) AS credit,
                         coalesce(sum(amount_minor) FILTER (WHERE state <> 'forfeited'), 0) AS kept
                  FROM referral_rewards GROUP BY referral_id) t ON t.referral_id = r.id
              WHERE r.budget_minor NOT IN (t.kept, CASE WHEN r.state = 'rewarded' THEN t.kept ELSE t.credit END)
                 OR NOT t.all_states <@ CASE r.state
                     WHEN 'rewarded' THEN ARRAY['given', 'forfeited']
                     WHEN 'refused' THEN ARRAY['forfeited']
                     WHEN 'reversed' THEN ARRAY['forfeited', 'taken_back', 'spent']
                     ELSE ARRAY['promised'] END",
    },
    Invariant {
        name: "referral_given",
        says: "a reward that was given is a coupon of its campaign, an entry of store credit, a lot of points or a term without \
               value, of the account that it is for; store credit and points that were taken back are back",
        prefix: "rfr",
        sql: "SELECT w.referral_id, format('%s: %s, %s', w.side, w.kind, w.state) FROM (
                  SELECT t.*, CASE t.side WHEN 'inviter' THEN r.inviter_id ELSE r.friend_id END AS account_id,
                         'referral:rfr_' || replace(r.id::text, '-', '') || ':' || t.side AS cause
                  FROM referral_rewards t JOIN referrals r ON r.id = t.referral_id) w
              LEFT JOIN coupons p ON p.id = w.coupon_id
              LEFT JOIN membership_terms m ON m.id = w.term_id
              LEFT JOIN credit_entries e ON e.cause = w.cause
              LEFT JOIN credit_entries b ON b.cause = w.cause || ':back'
              LEFT JOIN points_lots l ON l.cause = w.cause
              WHERE (w.given_at IS NULL AND (e.id IS NOT NULL OR b.id IS NOT NULL OR l.id IS NOT NULL))
                 OR (w.given_at IS NOT NULL AND NOT CASE w.kind
                     WHEN 'coupon' THEN coalesce(p.account_id = w.account_id AND p.campaign_id = w.campaign_id, false)
                     WHEN 'credit' THEN coalesce(e.account_id = w.account_id AND e.amount_minor = w.amount_minor, false)
                                        AND (b.id IS NOT NULL) = (w.state = 'taken_back')
                     WHEN 'points' THEN coalesce(l.account_id = w.account_id AND l.points = w.points, false)
                                        AND (w.state <> 'taken_back' OR l.points = l.reversed + l.clawed_back)
                     ELSE coalesce(m.account_id = w.account_id AND m.value_minor = 0, false) END)",
    },
];
