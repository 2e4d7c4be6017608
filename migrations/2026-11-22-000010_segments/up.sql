-- What operators call people by.
CREATE TABLE account_tags (
    account_id uuid NOT NULL REFERENCES accounts (id),
    tag text NOT NULL,
    PRIMARY KEY (account_id, tag)
);
CREATE INDEX account_tags_tag ON account_tags (tag, account_id);

-- People meant by prices, drops, rights and notices: a saved list, or a rule that is asked when it matters
-- (people/segments/rules.rs), so that nobody is in it a moment longer than the rule says.
CREATE TABLE segments (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT segments_code UNIQUE,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('list', 'rule')),
    rule jsonb,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    UNIQUE (id, kind),
    CHECK ((kind = 'rule') = (rule IS NOT NULL))
);

-- A saved list's accounts. The kind makes sure that a rule has none.
CREATE TABLE segment_accounts (
    segment_id uuid NOT NULL,
    kind text NOT NULL DEFAULT 'list' CHECK (kind = 'list'),
    account_id uuid NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (segment_id, account_id),
    FOREIGN KEY (segment_id, kind) REFERENCES segments (id, kind)
);
CREATE INDEX segment_accounts_account ON segment_accounts (account_id);
