-- Sold to members of a lower tier, whether or not it is on open sale.
ALTER TABLE plans ADD COLUMN open_upgrade boolean NOT NULL DEFAULT false;

-- What a change to another tier's plan would cost a membership as it stood then (its version).
CREATE TABLE upgrade_quotes (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    membership_id uuid NOT NULL REFERENCES memberships (id),
    membership_version integer NOT NULL,
    plan_id uuid NOT NULL REFERENCES plans (id),
    mode text NOT NULL CHECK (mode IN ('prorate', 'restart')),
    credit_minor bigint NOT NULL CHECK (credit_minor >= 0),
    charge_minor bigint NOT NULL CHECK (charge_minor >= 0),
    due_minor bigint NOT NULL CHECK (due_minor = greatest(charge_minor - credit_minor, 0)),
    -- exclusive; none is for life
    ends_at timestamptz,
    created_at timestamptz NOT NULL,
    valid_until timestamptz NOT NULL CHECK (valid_until > created_at)
);
CREATE INDEX upgrade_quotes_account ON upgrade_quotes (account_id, id);
CREATE INDEX upgrade_quotes_age ON upgrade_quotes (valid_until);

ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check
    CHECK (kind IN ('plan', 'upgrade', 'variant', 'bundle', 'gift_card'));
ALTER TABLE order_lines ADD COLUMN upgrade_quote_id uuid REFERENCES upgrade_quotes (id),
    ADD CONSTRAINT order_lines_upgrade CHECK ((kind = 'upgrade') = (upgrade_quote_id IS NOT NULL));
CREATE INDEX order_lines_upgrade_quote ON order_lines (upgrade_quote_id) WHERE upgrade_quote_id IS NOT NULL;

-- credited_minor: the part of the value that came from the terms that it replaced.
ALTER TABLE membership_terms ADD COLUMN credited_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN replaced_by uuid REFERENCES membership_terms (id),
    ADD CONSTRAINT membership_terms_credited CHECK (credited_minor BETWEEN 0 AND value_minor),
    ADD CONSTRAINT membership_terms_replaced CHECK (replaced_by IS NULL OR ended_at IS NOT NULL);
CREATE INDEX membership_terms_replaced_by ON membership_terms (replaced_by) WHERE replaced_by IS NOT NULL;
