//! Invoices against orders and refunds, and their numbers. What is due and not issued yet stands in the queue: that is no
//! failure, but nothing may be in neither or in both.

use super::super::Invariant;

/// What was issued of one kind and what of it is still due, counted by `$column`.
macro_rules! issued_or_due {
    ($column:literal, $kind:literal) => {
        concat!(
            "(SELECT ",
            $column,
            ", count(*) AS many FROM (SELECT ",
            $column,
            " FROM invoices WHERE kind = '",
            $kind,
            "' UNION ALL SELECT ",
            $column,
            " FROM invoices_due WHERE kind = '",
            $kind,
            "') AS x GROUP BY ",
            $column,
            ")"
        )
    };
}

pub const ALL: &[Invariant] = &[
    Invariant {
        name: "invoice_numbers",
        says: "the invoices of a kind and a year are numbered from 1 without a gap, and the counter knows the last one",
        prefix: "",
        sql: "SELECT format('%s %s', i.kind, i.year), format('%s of them, numbered %s to %s, %s; the counter says %s of %s',
                         i.many, i.first, i.last, CASE WHEN i.named THEN 'as counted' ELSE 'otherwise' END, c.last, c.year)
              FROM (SELECT kind, year, count(*) AS many, min(sequence) AS first, max(sequence) AS last,
                           bool_and(number = CASE kind WHEN 'invoice' THEN '' WHEN 'credit_note' THEN 'CN-' ELSE 'CI-' END
                               || year || '-' || lpad(sequence::text, greatest(6, length(sequence::text)), '0')) AS named
                    FROM invoices GROUP BY kind, year) i
              JOIN invoice_counters c ON c.kind = i.kind
              WHERE i.first <> 1 OR i.last <> i.many OR NOT i.named OR i.year > c.year
                 OR (i.year = c.year AND i.last <> c.last)
              UNION ALL SELECT format('%s %s', c.kind, c.year), format('the counter says %s, there is none', c.last)
              FROM invoice_counters c LEFT JOIN (SELECT DISTINCT kind, year FROM invoices) i
                  ON i.kind = c.kind AND i.year = c.year
              WHERE c.last > 0 AND i.kind IS NULL",
    },
    Invariant {
        name: "orders_invoiced",
        says: "a paid order that cost something has one invoice, or waits for it; no other has",
        prefix: "ord",
        sql: concat!(
            "SELECT o.id, format('%s, total %s, issued or due %s', o.state, o.total_minor, coalesce(i.many, 0))
             FROM orders o LEFT JOIN ", issued_or_due!("order_id", "invoice"), " i ON i.order_id = o.id
             WHERE coalesce(i.many, 0)
                 <> CASE WHEN o.paid_at IS NOT NULL AND o.total_minor > 0 THEN 1 ELSE 0 END"
        ),
    },
    Invariant {
        name: "invoices_as_sold",
        says: "an invoice has its order's total, tax and currency, and what it says adds up",
        prefix: "ivc",
        sql: "SELECT i.id, format('%s %s (tax %s), its order %s %s (tax %s), its lines %s', i.total_minor, i.currency,
                         i.tax_minor, o.total_minor, o.currency, o.tax_included_minor, l.amount)
              FROM invoices i JOIN orders o ON o.id = i.order_id
              CROSS JOIN LATERAL (SELECT coalesce(sum((x ->> 'total_minor')::bigint), 0)
                                         + (i.content ->> 'shipping_minor')::bigint AS amount
                                  FROM jsonb_array_elements(i.content -> 'lines') AS x) l
              WHERE l.amount <> i.total_minor OR i.currency <> o.currency
                 OR (i.kind = 'invoice' AND (i.total_minor <> o.total_minor OR i.tax_minor <> o.tax_included_minor))",
    },
    Invariant {
        name: "refunds_credited",
        says: "a refund of a sale that went through has one credit note of its amount, or waits for it; one that was taken \
               back has a correction beside its note; no other has either",
        prefix: "ref",
        sql: concat!(
            "SELECT f.id, format('%s, %s; credit notes %s, corrections %s, of %s', f.state, f.amount_minor,
                         coalesce(n.many, 0), coalesce(c.many, 0), coalesce(i.amounts, 'nothing yet'))
             FROM refunds f LEFT JOIN payments p ON p.id = f.payment_id
             LEFT JOIN ", issued_or_due!("refund_id", "credit_note"), " n ON n.refund_id = f.id
             LEFT JOIN ", issued_or_due!("refund_id", "correction"), " c ON c.refund_id = f.id
             LEFT JOIN (SELECT refund_id, string_agg(DISTINCT total_minor::text, ', ') AS amounts
                        FROM invoices WHERE refund_id IS NOT NULL GROUP BY refund_id) i ON i.refund_id = f.id
             WHERE i.amounts <> f.amount_minor::text
                OR NOT CASE WHEN p.sent_back THEN n.many IS NULL AND c.many IS NULL
                            WHEN f.state = 'succeeded' THEN n.many IS NOT DISTINCT FROM 1 AND c.many IS NULL
                            WHEN f.state = 'failed' THEN n.many IS NOT DISTINCT FROM c.many
                            ELSE n.many IS NULL AND c.many IS NULL END"
        ),
    },
    Invariant {
        name: "credit_within_invoices",
        says: "the credit notes of an invoice are about its order and come to no more than it, less what was corrected",
        prefix: "ivc",
        sql: "SELECT i.id, format('%s, credited %s', i.total_minor, c.amount)
              FROM invoices i JOIN (
                  SELECT coalesce(n.about_id, d.about_id) AS invoice_id, min(d.order_id::text) AS first_order,
                         max(d.order_id::text) AS last_order,
                         sum(CASE d.kind WHEN 'credit_note' THEN d.total_minor ELSE -d.total_minor END) AS amount
                  FROM invoices d LEFT JOIN invoices n ON n.id = d.about_id AND n.kind = 'credit_note'
                  WHERE d.kind <> 'invoice' GROUP BY 1) c ON c.invoice_id = i.id
              WHERE i.kind <> 'invoice' OR c.amount NOT BETWEEN 0 AND i.total_minor
                 OR c.first_order <> i.order_id::text OR c.last_order <> i.order_id::text",
    },
];
