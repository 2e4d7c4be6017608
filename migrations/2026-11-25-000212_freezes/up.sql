-- Times in which a member lets the membership rest.
CREATE TABLE membership_freezes (
    id uuid PRIMARY KEY,
    membership_id uuid NOT NULL REFERENCES memberships (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    started_at timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until > started_at),
    ended_at timestamptz CHECK (ended_at >= started_at)
);
CREATE UNIQUE INDEX membership_freezes_one_open ON membership_freezes (membership_id) WHERE ended_at IS NULL;
CREATE INDEX membership_freezes_account ON membership_freezes (account_id, id);
