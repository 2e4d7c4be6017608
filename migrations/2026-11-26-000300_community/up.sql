-- The rules of the community, who accepted which version, and measures against members.

-- A version is never changed: acceptances and measures refer to it.
CREATE TABLE community_rules (
    version text CONSTRAINT community_rules_pkey PRIMARY KEY,
    text_zh text NOT NULL,
    text_en text NOT NULL,
    -- what the rules promise to who is expelled: what becomes of the money that was paid for the membership
    expulsion_money text NOT NULL CHECK (expulsion_money IN ('none', 'rest', 'all')),
    published_at timestamptz NOT NULL
);

-- The first time that an account accepted a version.
CREATE TABLE community_acceptances (
    account_id uuid NOT NULL REFERENCES accounts (id),
    version text NOT NULL REFERENCES community_rules (version),
    -- with that order; null: it was asked for it
    order_id uuid REFERENCES orders (id),
    accepted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, version)
);

CREATE TABLE community_measures (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    membership_id uuid NOT NULL REFERENCES memberships (id),
    kind text NOT NULL CHECK (kind IN ('warning', 'suspension', 'expulsion')),
    version text NOT NULL REFERENCES community_rules (version),
    -- the rule that was broken, as the operator cites it
    rule text NOT NULL,
    reason text NOT NULL,
    -- of an expulsion: what becomes of the money, and how much of it goes back
    money text CHECK (money IN ('none', 'rest', 'all')),
    back_minor bigint CHECK (back_minor >= 0),
    -- of a suspension, exclusive
    ends_at timestamptz,
    state text NOT NULL CHECK (state IN ('in_force', 'over', 'lifted')),
    taken_by uuid,
    created_at timestamptz NOT NULL,
    -- exclusive
    appeal_until timestamptz NOT NULL,
    ended_at timestamptz,
    appeal text,
    appealed_at timestamptz,
    appeal_state text CHECK (appeal_state IN ('open', 'upheld', 'lifted')),
    -- why the appeal was decided so, or the measure lifted without one
    decision text,
    decided_at timestamptz,
    CHECK ((kind = 'expulsion') = (money IS NOT NULL)),
    CHECK ((kind = 'expulsion') = (back_minor IS NOT NULL)),
    CHECK (money <> 'none' OR back_minor = 0),
    CHECK ((kind = 'suspension') = (ends_at IS NOT NULL)),
    CHECK ((state = 'in_force') = (ended_at IS NULL)),
    CHECK (state <> 'over' OR kind = 'suspension'),
    CHECK ((appeal IS NULL) = (appeal_state IS NULL)),
    CHECK ((decision IS NULL) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX community_measures_suspended ON community_measures (account_id)
    WHERE kind = 'suspension' AND state = 'in_force';
CREATE INDEX community_measures_account ON community_measures (account_id, id);
CREATE INDEX community_measures_appeals ON community_measures (id) WHERE appeal_state = 'open';

-- What of which line goes back with an expulsion.
CREATE TABLE measure_refunds (
    measure_id uuid NOT NULL REFERENCES community_measures (id),
    line_id uuid NOT NULL REFERENCES order_lines (id),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (measure_id, line_id)
);
CREATE INDEX measure_refunds_line ON measure_refunds (line_id);
CREATE UNIQUE INDEX community_measures_expelled ON community_measures (account_id)
    WHERE kind = 'expulsion' AND state = 'in_force';
