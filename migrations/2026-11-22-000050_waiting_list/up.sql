-- A code may be bound to an account (its address may change), and may be an offer of a waiting list: then the cap of its
-- drop applies.
ALTER TABLE f_codes ADD COLUMN account_id uuid REFERENCES accounts (id);
ALTER TABLE f_codes ADD COLUMN is_offer boolean NOT NULL DEFAULT false;
ALTER TABLE f_codes ADD CONSTRAINT f_codes_bound_once CHECK (account_id IS NULL OR email_key IS NULL);
ALTER TABLE f_codes ADD CONSTRAINT f_codes_offer_is_bound CHECK (account_id IS NOT NULL OR NOT is_offer);
CREATE INDEX f_codes_account ON f_codes (account_id) WHERE account_id IS NOT NULL;

-- The line in front of an article of a drop: how many wait, and the last place that was given. Written under the lock of
-- the article's pool in the drop.
CREATE TABLE waiting_lines (
    drop_id uuid NOT NULL,
    variant_id uuid NOT NULL,
    waiting bigint NOT NULL CONSTRAINT waiting_lines_count CHECK (waiting >= 0),
    last_place bigint NOT NULL,
    PRIMARY KEY (drop_id, variant_id),
    CONSTRAINT waiting_lines_item FOREIGN KEY (drop_id, variant_id) REFERENCES drop_items (drop_id, variant_id)
);
CREATE INDEX waiting_lines_waiting ON waiting_lines (drop_id, variant_id) WHERE waiting > 0;

-- Who stands in it. offered: a unit waits for him under a code of his own; taken: he bought it; lapsed: its date passed;
-- left: he gave his place up; closed: the drop ended, or he may have no more.
CREATE TABLE waiting_entries (
    id uuid PRIMARY KEY,
    drop_id uuid NOT NULL REFERENCES drops (id),
    variant_id uuid NOT NULL REFERENCES variants (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    person_key text NOT NULL,
    place bigint NOT NULL CHECK (place > 0),
    state text NOT NULL CHECK (state IN ('waiting', 'offered', 'taken', 'lapsed', 'left', 'closed')),
    f_code_id uuid CONSTRAINT waiting_entries_code UNIQUE REFERENCES f_codes (id),
    joined_at timestamptz NOT NULL,
    offered_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT waiting_entries_place UNIQUE (drop_id, variant_id, place)
);
CREATE UNIQUE INDEX waiting_entries_account ON waiting_entries (drop_id, variant_id, account_id)
    WHERE state IN ('waiting', 'offered');
CREATE UNIQUE INDEX waiting_entries_person ON waiting_entries (drop_id, variant_id, person_key)
    WHERE state IN ('waiting', 'offered');
CREATE INDEX waiting_entries_line ON waiting_entries (drop_id, variant_id, place) WHERE state = 'waiting';
CREATE INDEX waiting_entries_of ON waiting_entries (account_id, id);
CREATE INDEX waiting_entries_drop ON waiting_entries (drop_id, id);
