-- How a membership goes on at its end; without a row it isn't renewed by card.
CREATE TABLE renewal_settings (
    membership_id uuid PRIMARY KEY REFERENCES memberships (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    is_on boolean NOT NULL,
    -- The member said so himself: what he buys later doesn't turn it on.
    switched_off_at timestamptz,
    -- Instead of the plan that it has, from its end on.
    next_plan_id uuid REFERENCES plans (id),
    cancelled_at timestamptz,
    cancel_reason text,
    CONSTRAINT renewal_settings_cancelled
        CHECK (cancelled_at IS NULL OR NOT is_on AND next_plan_id IS NULL)
);
CREATE INDEX renewal_settings_account ON renewal_settings (account_id);
CREATE INDEX renewal_settings_next_plan ON renewal_settings (next_plan_id) WHERE next_plan_id IS NOT NULL;

-- Going on after one end of a membership: what it will cost, what its member was told, and how often his card was asked.
CREATE TABLE renewals (
    id uuid PRIMARY KEY,
    membership_id uuid NOT NULL REFERENCES memberships (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    ends_at timestamptz NOT NULL,
    plan_id uuid NOT NULL REFERENCES plans (id),
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'paid', 'over')),
    announced_at timestamptz,
    noticed_at timestamptz,
    -- Days before the end of the last reminder.
    reminded_days integer,
    charges integer NOT NULL CHECK (charges >= 0),
    next_charge_at timestamptz,
    failure text,
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    CONSTRAINT renewals_closed CHECK ((state = 'open') = (closed_at IS NULL)),
    CONSTRAINT renewals_charged CHECK (charges = 0 OR noticed_at IS NOT NULL)
);
CREATE UNIQUE INDEX renewals_one_open ON renewals (membership_id) WHERE state = 'open';
CREATE INDEX renewals_account ON renewals (account_id, id);

ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check
    CHECK (kind IN ('plan', 'renewal', 'upgrade', 'variant', 'bundle', 'gift_card'));
ALTER TABLE order_lines ADD COLUMN renewal_id uuid REFERENCES renewals (id),
    ADD CONSTRAINT order_lines_renewal CHECK ((kind = 'renewal') = (renewal_id IS NOT NULL));
CREATE INDEX order_lines_renewal_id ON order_lines (renewal_id) WHERE renewal_id IS NOT NULL;

-- A payment that is taken from a saved card: which one, and since when Stripe may know of it.
CREATE TABLE card_charges (
    payment_id uuid PRIMARY KEY REFERENCES payments (id),
    stripe_payment_method_id text,
    called_at timestamptz,
    CONSTRAINT card_charges_called CHECK ((stripe_payment_method_id IS NULL) = (called_at IS NULL))
);

-- A visit to Stripe's page for saved cards.
CREATE TABLE portal_visits (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    return_url text NOT NULL,
    url text,
    failure text,
    created_at timestamptz NOT NULL
);
CREATE INDEX portal_visits_account ON portal_visits (account_id, id);
CREATE INDEX portal_visits_age ON portal_visits (created_at);

ALTER TABLE account_tokens DROP CONSTRAINT account_tokens_purpose_check;
ALTER TABLE account_tokens ADD CONSTRAINT account_tokens_purpose_check
    CHECK (purpose IN ('verify_email', 'reset_password', 'change_email', 'renewal'));

-- Those whose newest plan renews by card and whose card was saved with it.
INSERT INTO renewal_settings (membership_id, account_id, is_on)
SELECT m.id, m.account_id, true
FROM memberships m JOIN plans p ON p.id = m.plan_id
WHERE m.state IN ('active', 'frozen') AND m.ends_at IS NOT NULL AND p.renews = 'card' AND EXISTS (
    SELECT FROM membership_terms t JOIN order_lines l ON l.id = t.line_id
    JOIN payments y ON y.order_id = l.order_id
    WHERE t.membership_id = m.id AND t.plan_id = m.plan_id AND y.method_used = 'card'
      AND y.stripe_payment_method_id IS NOT NULL);

INSERT INTO jobs (id, lane, kind, payload, run_at, created_at)
SELECT gen_random_uuid(), 'stripe', 'renew', jsonb_build_object(
           'membership', 'mem_' || replace(m.id::text, '-', ''),
           'ends_at', to_char(m.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
       m.ends_at - interval '30 days', m.ends_at - interval '30 days'
FROM memberships m WHERE m.state = 'active' AND m.ends_at IS NOT NULL;
