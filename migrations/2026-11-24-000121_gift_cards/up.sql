-- What goes back into store credit goes through no payment.
ALTER TABLE refunds ALTER COLUMN payment_id DROP NOT NULL;
ALTER TABLE refunds ADD CONSTRAINT refunds_into_credit CHECK (
    payment_id IS NOT NULL OR (state IN ('succeeded', 'failed') AND stripe_refund_id IS NULL));

ALTER TABLE orders DROP CONSTRAINT orders_refunded;
ALTER TABLE orders ADD CONSTRAINT orders_refunded CHECK (refunded_minor BETWEEN 0 AND total_minor);

-- Gift cards: sold as a line of an order, or given out by operators; redeemed into store credit.
ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check CHECK (kind IN ('plan', 'variant', 'bundle', 'gift_card'));
ALTER TABLE order_lines DROP CONSTRAINT order_lines_sells;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_sells
    CHECK (num_nonnulls(plan_id, variant_id) = CASE kind WHEN 'gift_card' THEN 0 ELSE 1 END);

CREATE TABLE gift_cards (
    id uuid PRIMARY KEY,
    -- absent: an operator gave it out
    line_id uuid CONSTRAINT gift_cards_line UNIQUE REFERENCES order_lines (id),
    -- who bought it
    account_id uuid REFERENCES accounts (id),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    to_email text NOT NULL,
    to_name text,
    from_name text,
    message text,
    locale text NOT NULL,
    -- not before
    deliver_at timestamptz NOT NULL,
    expires_at timestamptz,
    reason text,
    created_at timestamptz NOT NULL,
    -- paid for
    activated_at timestamptz,
    delivered_at timestamptz,
    -- only the holder has the code itself
    code_hash bytea CONSTRAINT gift_cards_code UNIQUE,
    code_end text,
    redeemed_at timestamptz,
    redeemed_by uuid REFERENCES accounts (id),
    -- while the payment of it is disputed
    held_at timestamptz,
    voided_at timestamptz,
    CHECK ((redeemed_at IS NULL) = (redeemed_by IS NULL)),
    CHECK ((delivered_at IS NULL) = (code_hash IS NULL)),
    CHECK (delivered_at IS NULL OR activated_at IS NOT NULL),
    CHECK (redeemed_at IS NULL OR (delivered_at IS NOT NULL AND voided_at IS NULL))
);
CREATE INDEX gift_cards_account ON gift_cards (account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX gift_cards_redeemed_by ON gift_cards (redeemed_by) WHERE redeemed_by IS NOT NULL;
