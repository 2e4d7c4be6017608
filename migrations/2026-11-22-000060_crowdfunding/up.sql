-- A drop that is crowdfunded: what has to come together by its end, how much has, and what was decided then.
CREATE TABLE drop_goals (
    drop_id uuid PRIMARY KEY REFERENCES drops (id),
    -- what is counted: units of the drop, or minor units of money
    counts text NOT NULL CHECK (counts IN ('units', 'amount')),
    goal bigint NOT NULL CHECK (goal > 0),
    currency text NOT NULL,
    -- sums over the pledges that count; moved under this row's lock
    pledged_units bigint NOT NULL DEFAULT 0 CHECK (pledged_units >= 0),
    pledged_minor bigint NOT NULL DEFAULT 0 CHECK (pledged_minor >= 0),
    -- accounts with a pledge that counts
    backers bigint NOT NULL DEFAULT 0 CHECK (backers >= 0),
    -- the decision, once, with the figures that it was made by
    outcome text CHECK (outcome IN ('reached', 'missed')),
    decided_at timestamptz,
    decided_units bigint,
    decided_minor bigint,
    decided_backers bigint,
    CHECK (num_nulls(outcome, decided_at, decided_units, decided_minor, decided_backers) IN (0, 5))
);

-- A line of such a drop. units and minor are what it counts for: nothing until it is settled, nothing once it is refunded
-- in full.
CREATE TABLE pledges (
    line_id uuid PRIMARY KEY REFERENCES order_lines (id),
    drop_id uuid NOT NULL REFERENCES drop_goals (drop_id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    units bigint NOT NULL DEFAULT 0 CHECK (units >= 0),
    minor bigint NOT NULL DEFAULT 0 CHECK (minor >= 0),
    -- shown among the backers, with consent; null: not shown
    backer_name text CHECK (char_length(backer_name) BETWEEN 1 AND 40),
    -- the backer was told that the goal is reached, or the refund was made for it being missed
    concluded_at timestamptz
);
CREATE INDEX pledges_account ON pledges (account_id, drop_id);
CREATE INDEX pledges_drop ON pledges (drop_id, line_id);
CREATE INDEX pledges_open ON pledges (drop_id, line_id) WHERE concluded_at IS NULL;
CREATE INDEX pledges_named ON pledges (drop_id, line_id) WHERE units > 0 AND backer_name IS NOT NULL;
