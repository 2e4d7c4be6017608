-- The outbox: a row in the transaction that caused the mail. data is what the template needs; secrets in it (one-time
-- tokens) are removed once it is sent.
CREATE TABLE mails (
    id uuid PRIMARY KEY,
    cause text NOT NULL CONSTRAINT mails_cause UNIQUE,
    account_id uuid REFERENCES accounts (id),
    to_address text NOT NULL,
    kind text NOT NULL,
    locale text NOT NULL,
    data jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'dead')),
    last_error text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);
CREATE INDEX mails_account ON mails (account_id, id);
CREATE INDEX mails_dead ON mails (id) WHERE state = 'dead';
