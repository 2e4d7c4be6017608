-- Store credit: a means of payment. Entries are appended and never edited; the balance of an account is their sum.
CREATE TABLE credit_balances (
    account_id uuid PRIMARY KEY REFERENCES accounts (id),
    balance_minor bigint NOT NULL DEFAULT 0
        CONSTRAINT credit_balances_never_overdrawn CHECK (balance_minor >= 0),
    -- what was taken back and had been spent: it is taken from what comes next
    owed_minor bigint NOT NULL DEFAULT 0 CHECK (owed_minor >= 0),
    CHECK (balance_minor = 0 OR owed_minor = 0)
) WITH (fillfactor = 80);

CREATE TABLE credit_entries (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    kind text NOT NULL CONSTRAINT credit_entries_kind_check CHECK (kind IN (
        'gift_card', 'order', 'order_returned', 'refund', 'referral', 'packet', 'prize', 'operator', 'claw_back', 'owed')),
    -- the same cause never pays twice
    cause text NOT NULL CONSTRAINT credit_entries_cause UNIQUE,
    amount_minor bigint NOT NULL,
    owed_minor bigint NOT NULL DEFAULT 0,
    order_id uuid REFERENCES orders (id),
    reason text,
    created_at timestamptz NOT NULL,
    CHECK (amount_minor <> 0 OR owed_minor <> 0)
);
CREATE INDEX credit_entries_account ON credit_entries (account_id, id);
CREATE INDEX credit_entries_order ON credit_entries (order_id) WHERE order_id IS NOT NULL;
