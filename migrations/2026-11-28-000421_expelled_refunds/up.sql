-- What of a line had gone back when its member was expelled: what goes back later, for another reason, counts for what is due.
ALTER TABLE measure_refunds ADD COLUMN refunded_minor bigint NOT NULL DEFAULT 0
    CONSTRAINT measure_refunds_refunded CHECK (refunded_minor >= 0);
UPDATE measure_refunds r SET refunded_minor = greatest(0, l.refunded_minor - coalesce((
    SELECT sum(x.amount_minor) FROM refund_lines x JOIN refunds f ON f.id = x.refund_id
    WHERE x.line_id = r.line_id AND f.state <> 'failed'
      AND f.cause = 'measure:meas_' || replace(r.measure_id::text, '-', '') || ':ord_' || replace(l.order_id::text, '-', '')), 0))
FROM order_lines l WHERE l.id = r.line_id;
