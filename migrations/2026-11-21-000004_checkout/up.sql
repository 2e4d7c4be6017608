-- The only way money moves. total = subtotal - discount + shipping; due = total - points - credit is what Stripe charges.
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    number text NOT NULL CONSTRAINT orders_number UNIQUE,
    account_id uuid NOT NULL REFERENCES accounts (id),
    state text NOT NULL CHECK (state IN
        ('pending_payment', 'paid', 'fulfilled', 'cancelled', 'expired', 'refunded', 'partly_refunded')),
    currency text NOT NULL,
    subtotal_minor bigint NOT NULL CHECK (subtotal_minor >= 0),
    discount_minor bigint NOT NULL DEFAULT 0 CHECK (discount_minor BETWEEN 0 AND subtotal_minor),
    shipping_minor bigint NOT NULL DEFAULT 0 CHECK (shipping_minor >= 0),
    tax_included_minor bigint NOT NULL DEFAULT 0 CHECK (tax_included_minor >= 0),
    total_minor bigint NOT NULL,
    points_minor bigint NOT NULL DEFAULT 0 CHECK (points_minor >= 0),
    credit_minor bigint NOT NULL DEFAULT 0 CHECK (credit_minor >= 0),
    due_minor bigint NOT NULL CHECK (due_minor >= 0),
    refunded_minor bigint NOT NULL DEFAULT 0,
    explanation jsonb NOT NULL,
    email text NOT NULL,
    locale text NOT NULL,
    invite_code text,
    terms_version text REFERENCES terms_versions (version),
    consents jsonb NOT NULL,
    success_url text NOT NULL,
    cancel_url text NOT NULL,
    hold_minutes integer NOT NULL,
    has_membership boolean NOT NULL,
    created_at timestamptz NOT NULL,
    paid_at timestamptz,
    closed_at timestamptz,
    CONSTRAINT orders_total CHECK (total_minor = subtotal_minor - discount_minor + shipping_minor),
    CONSTRAINT orders_due CHECK (due_minor = total_minor - points_minor - credit_minor),
    CONSTRAINT orders_refunded CHECK (refunded_minor BETWEEN 0 AND due_minor),
    CHECK ((state IN ('paid', 'fulfilled', 'refunded', 'partly_refunded')) = (paid_at IS NOT NULL)),
    CHECK ((state IN ('cancelled', 'expired')) = (closed_at IS NOT NULL))
);
CREATE INDEX orders_account ON orders (account_id, id);
CREATE INDEX orders_pending ON orders (created_at) WHERE state = 'pending_payment';
CREATE UNIQUE INDEX orders_one_pending_membership ON orders (account_id)
    WHERE has_membership AND state = 'pending_payment';

CREATE TABLE order_lines (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    position integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('plan')),
    plan_id uuid REFERENCES plans (id),
    drive_id uuid REFERENCES drives (id),
    invitation_id uuid REFERENCES drive_invitations (id),
    title text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    unit_price_minor bigint NOT NULL CHECK (unit_price_minor >= 0),
    discount_minor bigint NOT NULL DEFAULT 0 CHECK (discount_minor >= 0),
    total_minor bigint NOT NULL CHECK (total_minor >= 0),
    refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND total_minor),
    fulfilled_at timestamptz,
    UNIQUE (order_id, position)
);
CREATE INDEX order_lines_drive ON order_lines (drive_id) WHERE drive_id IS NOT NULL;

-- One order's hold on a pool: held, then taken or released.
CREATE TABLE claims (
    id uuid PRIMARY KEY,
    pool_id uuid NOT NULL REFERENCES pools (id),
    order_id uuid NOT NULL REFERENCES orders (id),
    line_id uuid NOT NULL REFERENCES order_lines (id),
    quantity bigint NOT NULL CHECK (quantity > 0),
    state text NOT NULL CHECK (state IN ('held', 'taken', 'released')),
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX claims_order ON claims (order_id);
CREATE INDEX claims_pool ON claims (pool_id) WHERE state IN ('held', 'taken');
CREATE UNIQUE INDEX claims_once ON claims (line_id, pool_id) WHERE state IN ('held', 'taken');

-- One place a person over a series of drives: by account and by normalised address.
CREATE TABLE series_places (
    id uuid PRIMARY KEY,
    series text NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts (id),
    person_key text NOT NULL,
    order_id uuid NOT NULL REFERENCES orders (id),
    released_at timestamptz
);
CREATE UNIQUE INDEX series_places_account ON series_places (series, account_id) WHERE released_at IS NULL;
CREATE UNIQUE INDEX series_places_person ON series_places (series, person_key) WHERE released_at IS NULL;
CREATE INDEX series_places_order ON series_places (order_id);

-- One attempt to pay an order. The row is committed before Stripe is called; key, amounts and session_expires_at are
-- never recomputed on a retry.
CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    attempt integer NOT NULL,
    state text NOT NULL CHECK (state IN
        ('preparing', 'ready', 'processing', 'succeeded', 'failed', 'expired', 'not_needed')),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    currency text NOT NULL,
    methods text[] NOT NULL,
    call_attempt integer NOT NULL DEFAULT 1,
    session_expires_at timestamptz,
    stripe_session_id text CONSTRAINT payments_session UNIQUE,
    url text,
    -- the end of the hold; its clock starts when the payment page is ready
    expires_at timestamptz,
    stripe_payment_intent_id text CONSTRAINT payments_intent UNIQUE,
    stripe_charge_id text,
    card_fingerprint text,
    method_used text,
    failure_code text,
    captured_minor bigint NOT NULL DEFAULT 0 CHECK (captured_minor >= 0),
    captured_at timestamptz,
    -- paid but impossible: the capture goes back in full
    sent_back boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    UNIQUE (order_id, attempt),
    CHECK ((captured_minor > 0) = (captured_at IS NOT NULL)),
    CHECK (NOT sent_back OR captured_minor > 0)
);
CREATE UNIQUE INDEX payments_one_live ON payments (order_id) WHERE state IN ('preparing', 'ready', 'processing');

CREATE TABLE refunds (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    payment_id uuid NOT NULL REFERENCES payments (id),
    -- what caused it, once: the same cause never pays twice
    cause text NOT NULL CONSTRAINT refunds_cause UNIQUE,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'pending', 'succeeded', 'failed')),
    call_attempt integer NOT NULL DEFAULT 1,
    stripe_refund_id text CONSTRAINT refunds_stripe_refund UNIQUE,
    failure_reason text,
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX refunds_order ON refunds (order_id);
CREATE INDEX refunds_payment ON refunds (payment_id);

CREATE TABLE refund_lines (
    refund_id uuid NOT NULL REFERENCES refunds (id),
    line_id uuid NOT NULL REFERENCES order_lines (id),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    restock boolean NOT NULL,
    PRIMARY KEY (refund_id, line_id)
);

CREATE TABLE disputes (
    id uuid PRIMARY KEY,
    stripe_dispute_id text NOT NULL CONSTRAINT disputes_stripe_dispute UNIQUE,
    payment_id uuid NOT NULL REFERENCES payments (id),
    order_id uuid NOT NULL REFERENCES orders (id),
    state text NOT NULL CHECK (state IN ('open', 'won', 'lost', 'warning_closed')),
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz
);
CREATE INDEX disputes_order ON disputes (order_id);

-- Raw events as they came, signature checked; unreadable ones too.
CREATE TABLE stripe_events (
    id text PRIMARY KEY,
    kind text NOT NULL,
    payload bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('received', 'applied', 'ignored', 'parked', 'unreadable')),
    received_at timestamptz NOT NULL,
    applied_at timestamptz
);
CREATE INDEX stripe_events_open ON stripe_events (received_at) WHERE state IN ('received', 'parked');

-- The terms that make up a membership; a term is added, never substituted. value_minor: money paid and credit used for
-- it; value_seconds: its seconds from value_from to its end (null: for life).
CREATE TABLE membership_terms (
    id uuid PRIMARY KEY,
    membership_id uuid NOT NULL REFERENCES memberships (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    source text NOT NULL CHECK (source IN ('order', 'grant', 'extension')),
    line_id uuid REFERENCES order_lines (id) CONSTRAINT membership_terms_line UNIQUE,
    tier_id uuid NOT NULL REFERENCES tiers (id),
    plan_id uuid REFERENCES plans (id),
    -- n-th end = anchor_at + n periods
    anchor_at timestamptz NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    value_minor bigint NOT NULL CHECK (value_minor >= 0),
    value_from timestamptz NOT NULL,
    value_seconds bigint CHECK (value_seconds > 0),
    ended_at timestamptz,
    created_at timestamptz NOT NULL,
    CHECK (ends_at IS NULL OR ends_at > starts_at)
);
CREATE INDEX membership_terms_membership ON membership_terms (membership_id, id);

-- Answers to repeated requests: only successes, written in the business transaction.
CREATE TABLE idempotency_keys (
    account_id uuid NOT NULL REFERENCES accounts (id),
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status smallint NOT NULL,
    resource uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, route, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
