DROP TABLE gift_cards;
ALTER TABLE order_lines DROP CONSTRAINT order_lines_sells;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_sells CHECK ((plan_id IS NULL) <> (variant_id IS NULL));
ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check CHECK (kind IN ('plan', 'variant', 'bundle'));
ALTER TABLE refunds DROP CONSTRAINT refunds_into_credit;
ALTER TABLE refunds ALTER COLUMN payment_id SET NOT NULL;
ALTER TABLE orders DROP CONSTRAINT orders_refunded;
ALTER TABLE orders ADD CONSTRAINT orders_refunded CHECK (refunded_minor BETWEEN 0 AND due_minor);
