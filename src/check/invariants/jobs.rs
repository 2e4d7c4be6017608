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
        "SELECT p.id, p.state FROM payments p JOIN orders o ON o.id = p.order_id
         WHERE p.state = 'preparing' AND o.state = 'pending_payment'";
    "owed_ends_of_holds",
        "a pending order whose payment is ready or in process has a job that ends its hold",
        "ord", "end_hold", "order", "'ord_' || replace(w.id::text, '-', '')",
        "SELECT o.id, 'payment ' || p.state FROM orders o JOIN payments p ON p.order_id = o.id
         WHERE p.state IN ('ready', 'processing') AND o.state = 'pending_payment'";
    "owed_free_orders",
        "a pending order with nothing to pay has a job that settles it",
        "ord", "settle_free", "order", "'ord_' || replace(w.id::text, '-', '')",
        "SELECT id, 'nothing is due' FROM orders WHERE state = 'pending_payment' AND due_minor = 0";
    "owed_ends_of_pages",
        "a payment whose page may be open though its order ended has a job that closes it",
        "pay", "close_checkout", "payment", "'pay_' || replace(w.id::text, '-', '')",
        "SELECT p.id, format('%s, its order is %s', p.state, o.state) FROM payments p JOIN orders o ON o.id = p.order_id
         WHERE p.state IN ('ready', 'processing') AND o.state <> 'pending_payment'";
    "owed_refunds",
        "a refund that Stripe hasn't been told of has a job that does",
        "ref", "send_refund", "refund", "'ref_' || replace(w.id::text, '-', '')",
        "SELECT id, format('%s %s', amount_minor, currency) FROM refunds WHERE state = 'queued'";
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
}
