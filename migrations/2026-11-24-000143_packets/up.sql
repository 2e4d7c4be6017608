-- Red packets: an amount split among the first who come; and chains, in which who opens one may start the next.
ALTER TABLE claim_codes DROP CONSTRAINT claim_codes_kind_check;
ALTER TABLE claim_codes ADD CONSTRAINT claim_codes_kind_check
    CHECK (kind IN ('give_out', 'game', 'packet', 'chain'));
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion', 'prize',
                    'packet', 'chain_links', 'chain_budget'));

CREATE TABLE chains (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT chains_code UNIQUE REFERENCES claim_codes (code),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    audience jsonb NOT NULL,
    starts_at timestamptz NOT NULL,
    -- exclusive
    ends_at timestamptz NOT NULL,
    -- of each packet
    amount_minor bigint NOT NULL CHECK (amount_minor >= parts),
    parts integer NOT NULL CHECK (parts > 0),
    split text NOT NULL CHECK (split IN ('equal', 'random')),
    packet_hours integer NOT NULL CHECK (packet_hours > 0),
    -- packets in all
    links_pool_id uuid NOT NULL CONSTRAINT chains_links_pool UNIQUE REFERENCES pools (id),
    -- minor units in all; what is left of a packet comes back
    budget_pool_id uuid NOT NULL CONSTRAINT chains_budget_pool UNIQUE REFERENCES pools (id),
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK (starts_at < ends_at)
);

CREATE TABLE packets (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT packets_code UNIQUE REFERENCES claim_codes (code),
    -- who paid for it from the own store credit; absent: the shop
    account_id uuid REFERENCES accounts (id),
    -- of a chain: which link, and the packet that was opened to start it (the first has none)
    chain_id uuid REFERENCES chains (id),
    link integer CHECK (link > 0),
    parent_id uuid REFERENCES packets (id),
    audience jsonb NOT NULL,
    greeting text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor >= parts),
    parts integer NOT NULL CHECK (parts > 0),
    split text NOT NULL CHECK (split IN ('equal', 'random')),
    -- what a random split comes from
    seed bytea NOT NULL CHECK (length(seed) = 32),
    pool_id uuid NOT NULL CONSTRAINT packets_pool UNIQUE REFERENCES pools (id),
    created_at timestamptz NOT NULL,
    -- exclusive
    ends_at timestamptz NOT NULL,
    -- what nobody had opened went back then
    ended_at timestamptz,
    returned_minor bigint CHECK (returned_minor BETWEEN 0 AND amount_minor),
    CONSTRAINT packets_link UNIQUE (chain_id, link),
    CHECK ((chain_id IS NULL) = (link IS NULL)),
    CHECK (chain_id IS NULL OR account_id IS NULL),
    CHECK ((parent_id IS NOT NULL) = (link IS NOT NULL AND link > 1)),
    CHECK ((ended_at IS NULL) = (returned_minor IS NULL))
);
CREATE INDEX packets_account ON packets (account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX packets_parent ON packets (parent_id) WHERE parent_id IS NOT NULL;

-- The parts, from the first that is opened to the last: their amounts are fixed when the packet is made.
CREATE TABLE packet_parts (
    packet_id uuid NOT NULL REFERENCES packets (id),
    position integer NOT NULL CHECK (position >= 0),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    account_id uuid REFERENCES accounts (id),
    person_key text,
    opened_at timestamptz,
    PRIMARY KEY (packet_id, position),
    CONSTRAINT packet_parts_person UNIQUE (packet_id, person_key),
    CONSTRAINT packet_parts_account UNIQUE (packet_id, account_id),
    CHECK ((account_id IS NULL) = (person_key IS NULL)),
    CHECK ((account_id IS NULL) = (opened_at IS NULL))
);
CREATE INDEX packet_parts_of_account ON packet_parts (account_id) WHERE account_id IS NOT NULL;

-- Who opened a packet of a chain may start the next one, once.
CREATE TABLE chain_rights (
    id uuid PRIMARY KEY,
    chain_id uuid NOT NULL REFERENCES chains (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    packet_id uuid NOT NULL REFERENCES packets (id),
    created_at timestamptz NOT NULL,
    started_id uuid CONSTRAINT chain_rights_started UNIQUE REFERENCES packets (id),
    started_at timestamptz,
    CONSTRAINT chain_rights_once UNIQUE (packet_id, account_id),
    CHECK ((started_id IS NULL) = (started_at IS NULL))
);
CREATE INDEX chain_rights_open ON chain_rights (chain_id, account_id, id) WHERE started_id IS NULL;
CREATE INDEX chain_rights_of_account ON chain_rights (account_id);
