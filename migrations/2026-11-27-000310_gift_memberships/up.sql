-- Gift memberships: a term of a plan, sold as a line of an order to somebody who gives it away by a code.
ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check
    CHECK (kind IN ('plan', 'renewal', 'upgrade', 'variant', 'bundle', 'gift_card', 'gift'));

-- What a gift gives is worth nothing where an upgrade asks: it has no line of its own.
ALTER TABLE membership_terms DROP CONSTRAINT membership_terms_source_check;
ALTER TABLE membership_terms ADD CONSTRAINT membership_terms_source_check
    CHECK (source IN ('order', 'grant', 'extension', 'gift'));

CREATE TABLE gifts (
    id uuid PRIMARY KEY,
    line_id uuid NOT NULL CONSTRAINT gifts_line UNIQUE REFERENCES order_lines (id),
    -- who bought it
    account_id uuid NOT NULL REFERENCES accounts (id),
    plan_id uuid NOT NULL REFERENCES plans (id),
    -- the plan's when it was ordered
    term text NOT NULL,
    -- false: for nobody yet, and its code is the buyer's to hand on
    is_addressed boolean NOT NULL,
    to_email text NOT NULL,
    to_name text,
    from_name text,
    message text,
    locale text NOT NULL,
    -- not before
    deliver_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    -- paid for
    activated_at timestamptz,
    delivered_at timestamptz,
    -- only the holder has the code itself
    code_hash bytea CONSTRAINT gifts_code UNIQUE,
    code_end text,
    -- until then it is redeemed
    expires_at timestamptz,
    redeemed_at timestamptz,
    redeemed_by uuid REFERENCES accounts (id),
    -- what it gave
    term_id uuid CONSTRAINT gifts_term UNIQUE REFERENCES membership_terms (id),
    -- while its payment is disputed
    held_at timestamptz,
    voided_at timestamptz,
    CHECK ((redeemed_at IS NULL) = (redeemed_by IS NULL)),
    CHECK ((redeemed_at IS NULL) = (term_id IS NULL)),
    CHECK ((delivered_at IS NULL) = (code_hash IS NULL)),
    CHECK ((activated_at IS NULL) = (expires_at IS NULL)),
    CHECK (delivered_at IS NULL OR activated_at IS NOT NULL),
    CHECK (redeemed_at IS NULL OR delivered_at IS NOT NULL)
);
CREATE INDEX gifts_account ON gifts (account_id, id);
CREATE INDEX gifts_redeemed_by ON gifts (redeemed_by) WHERE redeemed_by IS NOT NULL;
