-- When Stripe was last asked because a buyer came back and waited; keeps many waiting tabs from asking too often.
ALTER TABLE payments ADD COLUMN checked_at timestamptz;
-- The consent to later charges is given with the order (consents); the card that was saved at its payment.
ALTER TABLE payments ADD COLUMN saves_card boolean NOT NULL DEFAULT false;
ALTER TABLE payments ADD COLUMN stripe_payment_method_id text;
-- What was refunded outside kindred, in Stripe's dashboard, has no line of ours.
ALTER TABLE refunds ADD COLUMN requested_by text NOT NULL DEFAULT 'system';
