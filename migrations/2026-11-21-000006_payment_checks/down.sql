ALTER TABLE refunds DROP COLUMN requested_by;
ALTER TABLE payments DROP COLUMN stripe_payment_method_id;
ALTER TABLE payments DROP COLUMN saves_card;
ALTER TABLE payments DROP COLUMN checked_at;
