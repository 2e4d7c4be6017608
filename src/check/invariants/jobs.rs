//! Work that is owed has a job. A job that is queued or runs is enough at any moment; one that is dead is told of by
//! [`DEAD`], and one that is done did nothing.

use super::super::Invariant;

/// What is owed of one kind of job: `$owed` selects the ids of rows that wait for it and why, `$id` makes of such an id
/// what stands in the payload's `$field`.
macro_rules! owed {
    ($($name:literal, $says:literal, $prefix:literal, $kind:literal, $field:literal, $id:literal,
        $owed:literal;)*) => {
        pub const ALL: &[Invariant] = &[$(Invariant {
            name: $name,
            says: $says,
            prefix: $prefix,
            sql: concat!(
                "SELECT w.id, w.why FROM (", $owed, ") AS w (id, why) WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.kind = '",
                $kind, "' AND j.state <> 'done' AND j.payload ->> '", $field, "' = ", $id, ")"
            ),
        }),*];

        /// Dead jobs whose work is still owed, and that no other job will do.
        pub const DEAD: Invariant = Invariant {
            name: "jobs_dead",
            says: "no dead job leaves work undone",
            prefix: "job",
            sql: concat!(
                "SELECT j.id, j.kind || ' ' || w.subject FROM jobs j JOIN (SELECT '', '' WHERE false",
                $(
                    " UNION ALL SELECT '", $kind, "', ", $id, " FROM (", $owed, ") AS w (id, why)",
                    " WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.kind = '", $kind,
                    "' AND j.state IN ('queued', 'running') AND j.payload ->> '", $field, "' = ", $id, ")",
                )*
                ") AS w (kind, subject) ON w.kind = j.kind AND j.payload ->> CASE j.kind",
                $(" WHEN '", $kind, "' THEN '", $field, "'",)*
                " END = w.subject WHERE j.state = 'dead'"
            ),
        };
    };
}

owed! {
    "owed_payment_pages",
        "a payment that is being prepared has a job that opens its page",
        "pay", "open_checkout", "payment", "'pay_' || replace(w.id::text, '-', '')",
        "SELECT p.id, p.state FROM payments p LEFT JOIN card_charges c ON c.payment_id = p.id
         WHERE p.state = 'preparing' AND c.payment_id IS NULL";
    "owed_card_charges",
        "a charge of a saved card that isn't decided has a job that asks for it",
        "pay", "charge_card", "payment", "'pay_' || replace(w.id::text, '-', '')",
        "SELECT p.id, p.state FROM payments p JOIN card_charges c ON c.payment_id = p.id WHERE p.state = 'preparing'";
    "owed_ends_of_holds",
        "a pending order whose page is ready, or whose attempt failed, has a job that ends its hold",
        "ord", "end_hold", "order", "'ord_' || replace(w.id::text, '-', '')",
        "SELECT o.id, 'its last payment is ' || p.state FROM orders o
         JOIN (SELECT DISTINCT ON (order_id) order_id, state FROM payments ORDER BY order_id, attempt DESC) p
             ON p.order_id = o.id
         WHERE o.state = 'pending_payment' AND p.state IN ('ready', 'failed', 'expired', 'succeeded')";
    "owed_ends_of_processing",
        "a payment on its way has a job that waits no longer than its time",
        "pay", "end_processing", "payment", "'pay_' || replace(w.id::text, '-', '')",
        "SELECT id, state FROM payments WHERE state = 'processing'";
    "owed_free_orders",
        "a pending order with nothing to pay has a job that settles it",
        "ord", "settle_free", "order", "'ord_' || replace(w.id::text, '-', '')",
        "SELECT id, 'nothing is due' FROM orders WHERE state = 'pending_payment' AND due_minor = 0";
    "owed_refunds",
        "a refund that Stripe hasn't been told of has a job that does",
        "ref", "send_refund", "refund", "'ref_' || replace(w.id::text, '-', '')",
        "SELECT id, format('%s %s', amount_minor, currency) FROM refunds WHERE state = 'queued'";
    "owed_points",
        "an order whose points are pending has a job that looks after them",
        "ord", "follow_points", "order", "'ord_' || replace(w.id::text, '-', '')",
        "SELECT l.order_id, format('%s pending', l.pending) FROM points_lots l JOIN accounts a ON a.id = l.account_id
         WHERE l.active_at IS NULL AND l.order_id IS NOT NULL AND l.kind = 'order' AND a.erased_at IS NULL
           AND (l.pending > 0 OR l.level_points > l.level_reversed)";
    "owed_events",
        "an event of Stripe that wasn't applied has a job that does",
        "", "apply_event", "event", "w.id",
        "SELECT id, format('%s, %s', kind, state) FROM stripe_events WHERE state IN ('received', 'parked')";
    "owed_mails",
        "a queued mail has a job that sends it",
        "mail", "send_mail", "mail", "'mail_' || replace(w.id::text, '-', '')",
        "SELECT id, kind FROM mails WHERE state = 'queued'";
    "owed_expiries",
        "an active membership that ends has a job that closes it",
        "mem", "expire_membership", "membership", "'mem_' || replace(w.id::text, '-', '')",
        "SELECT id, format('ends %s', ends_at) FROM memberships WHERE state = 'active' AND ends_at IS NOT NULL";
    "owed_renewals",
        "an active membership that ends has a job that looks after its end",
        "mem", "renew", "membership", "'mem_' || replace(w.id::text, '-', '')",
        "SELECT id, format('ends %s', ends_at) FROM memberships WHERE state = 'active' AND ends_at IS NOT NULL";
    "owed_ends_of_freezes",
        "a freeze that a member asked for and that holds has a job that ends it",
        "frz", "end_freeze", "freeze", "'frz_' || replace(w.id::text, '-', '')",
        "SELECT id, format('until %s', until) FROM membership_freezes WHERE ended_at IS NULL";
    "owed_notices",
        "a notice that is scheduled or being sent has a job that sends it",
        "ntc", "send_notice", "notice", "'ntc_' || replace(w.id::text, '-', '')",
        "SELECT id, state FROM notices WHERE state IN ('scheduled', 'sending')";
    "owed_gift_cards",
        "a gift card that is paid for and wasn't delivered or taken back has a job that delivers it",
        "gift", "deliver_gift_card", "card", "'gift_' || replace(w.id::text, '-', '')",
        "SELECT id, format('for %s', deliver_at) FROM gift_cards
         WHERE activated_at IS NOT NULL AND delivered_at IS NULL AND voided_at IS NULL AND held_at IS NULL";
    "owed_gifts",
        "a gift that is paid for and wasn't delivered or taken back, and has somebody to go to, has a job that delivers it",
        "gmem", "deliver_gift", "gift", "'gmem_' || replace(w.id::text, '-', '')",
        "SELECT id, format('for %s', deliver_at) FROM gifts
         WHERE activated_at IS NOT NULL AND delivered_at IS NULL AND voided_at IS NULL AND held_at IS NULL AND to_email <> ''";
    "owed_ends_of_trials",
        "a trial behind which nothing stands, and which doesn't rest, has a job that ends it",
        "trl", "end_trial", "trial", "'trl_' || replace(w.id::text, '-', '')",
        "SELECT r.id, format('ends %s', t.ends_at) FROM trials r JOIN membership_terms t ON t.id = r.term_id
         JOIN memberships m ON m.id = t.membership_id
         WHERE t.ended_at IS NULL AND m.state = 'active' AND m.ends_at = t.ends_at";
    "owed_repeat_refunds",
        "an order that a card's repeated use of a coupon sends back has a job that does",
        "ord", "refund_repeat_card", "order", "'ord_' || replace(w.id::text, '-', '')",
        "SELECT u.order_id AS id, format('%s uses before', f.earlier) FROM coupon_flags f
         JOIN coupon_uses u ON u.id = f.use_id WHERE f.ended_at IS NULL AND f.is_refunded";
    "owed_goals",
        "the goal of a crowdfunded drop that isn't decided has a job that decides it",
        "drop", "decide_goal", "drop", "'drop_' || replace(w.id::text, '-', '')",
        "SELECT drop_id, format('%s %s', goal, counts) FROM drop_goals WHERE outcome IS NULL";
    "owed_conclusions",
        "a goal that is decided has a job that refunds or tells its backers, as long as one of them waits",
        "drop", "conclude_goal", "drop", "'drop_' || replace(w.id::text, '-', '')",
        "SELECT DISTINCT g.drop_id, g.outcome FROM drop_goals g JOIN pledges p ON p.drop_id = g.drop_id
         JOIN order_lines l ON l.id = p.line_id JOIN orders o ON o.id = l.order_id
         WHERE p.concluded_at IS NULL AND o.paid_at IS NOT NULL AND CASE g.outcome
             WHEN 'reached' THEN p.units > 0 WHEN 'missed' THEN o.refunded_minor < o.total_minor ELSE false END";
}

#[cfg(test)]
mod tests {
    use crate::jobs::{Job, queue};
    use crate::types::id::{
        DropId, FreezeId, GiftCardId, GiftId, MailId, MembershipId, NoticeId, OrderId, PaymentId, RefundId,
        TrialId,
    };

    /// The statements look for kinds and payloads by these names.
    #[test]
    fn the_jobs_that_are_owed_are_called_so() {
        let (payment, order, drop) = (PaymentId::new(), OrderId::new(), DropId::new());
        let notice = NoticeId::new();
        let (card, gift, freeze) = (GiftCardId::new(), GiftId::new(), FreezeId::new());
        let trial = TrialId::new();
        let (refund, mail, membership) = (RefundId::new(), MailId::new(), MembershipId::new());
        for (job, kind, field, id) in [
            (Job::OpenCheckout { payment }, "open_checkout", "payment", payment.to_string()),
            (Job::ChargeCard { payment }, "charge_card", "payment", payment.to_string()),
            (Job::EndHold { order }, "end_hold", "order", order.to_string()),
            (Job::EndProcessing { payment }, "end_processing", "payment", payment.to_string()),
            (Job::SettleFree { order }, "settle_free", "order", order.to_string()),
            (Job::FollowPoints { order }, "follow_points", "order", order.to_string()),
            (Job::SendRefund { refund }, "send_refund", "refund", refund.to_string()),
            (Job::ApplyEvent { event: "evt_1".to_owned() }, "apply_event", "event", "evt_1".to_owned()),
            (Job::SendMail { mail }, "send_mail", "mail", mail.to_string()),
            (Job::EndFreeze { freeze }, "end_freeze", "freeze", freeze.to_string()),
            (Job::SendNotice { notice }, "send_notice", "notice", notice.to_string()),
            (Job::DeliverGiftCard { card }, "deliver_gift_card", "card", card.to_string()),
            (Job::DeliverGift { gift }, "deliver_gift", "gift", gift.to_string()),
            (Job::EndTrial { trial }, "end_trial", "trial", trial.to_string()),
            (Job::RefundRepeatCard { order }, "refund_repeat_card", "order", order.to_string()),
            (Job::DecideGoal { drop }, "decide_goal", "drop", drop.to_string()),
            (Job::ConcludeGoal { drop }, "conclude_goal", "drop", drop.to_string()),
            (Job::ExpireMembership { membership }, "expire_membership", "membership", membership.to_string()),
        ] {
            let (stored_kind, payload) = queue::to_columns(&job).unwrap();
            assert_eq!(stored_kind, kind);
            assert_eq!(payload, serde_json::json!({ field: id }));
            let owed = super::ALL.iter().any(|owed| {
                owed.sql.contains(&format!("kind = '{kind}'")) && owed.sql.contains(&format!("->> '{field}'"))
            });
            assert!(owed, "{kind}");
        }
        assert_eq!(super::ALL.len(), 19);
        let renew = Job::Renew { membership, ends_at: chrono::DateTime::UNIX_EPOCH };
        let (kind, payload) = queue::to_columns(&renew).unwrap();
        assert_eq!((kind.as_str(), &payload["membership"]), ("renew", &serde_json::json!(membership)));
    }
}
