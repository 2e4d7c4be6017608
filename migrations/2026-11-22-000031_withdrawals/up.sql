-- Declarations of buyers that they withdraw from an order: a case that operators decide. No money moves by it.
CREATE TABLE withdrawals (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    state text NOT NULL CHECK (state IN ('open', 'accepted', 'rejected', 'stopped')),
    -- as it was declared; null once the buyer was erased
    name text,
    declared_at timestamptz NOT NULL,
    -- the last parcel or the payment, and the end of the time to withdraw; null while a parcel was still to come
    counted_from timestamptz,
    deadline_at timestamptz,
    -- SHA-256 of the token in the link that stops it
    token_hash bytea NOT NULL CONSTRAINT withdrawals_token UNIQUE,
    ended_at timestamptz,
    reason text,
    refund_id uuid REFERENCES refunds (id),
    CHECK ((state = 'open') = (ended_at IS NULL)),
    CHECK ((state IN ('accepted', 'rejected')) = (reason IS NOT NULL)),
    CHECK (refund_id IS NULL OR state = 'accepted'),
    CHECK ((counted_from IS NULL) = (deadline_at IS NULL))
);
CREATE UNIQUE INDEX withdrawals_one_open ON withdrawals (order_id) WHERE state = 'open';
CREATE INDEX withdrawals_state ON withdrawals (state, id);
CREATE INDEX withdrawals_order ON withdrawals (order_id, id);
