-- Associates: people who belong by somebody else's membership, the head's. A plan gives seats for them, a tier says which tier
-- they are of.
ALTER TABLE plans ADD COLUMN associate_seats integer NOT NULL DEFAULT 0
    CONSTRAINT plans_associate_seats CHECK (associate_seats BETWEEN 0 AND 50);
-- null: that of the head
ALTER TABLE tiers ADD COLUMN associate_tier_id uuid CONSTRAINT tiers_associate_tier REFERENCES tiers (id);

-- The seats of a membership: held by invitations, taken by associates. Capacity is what its plan gave when it was last looked
-- at, and never less than the seats that are in use.
CREATE TABLE associate_seats (
    membership_id uuid PRIMARY KEY REFERENCES memberships (id),
    capacity integer NOT NULL,
    held integer NOT NULL DEFAULT 0,
    taken integer NOT NULL DEFAULT 0,
    CONSTRAINT associate_seats_within_capacity CHECK (held >= 0 AND taken >= 0 AND held + taken <= capacity)
);

-- A seat that somebody was invited to. What an associate may do now isn't written here: it follows from the membership.
CREATE TABLE associates (
    id uuid PRIMARY KEY,
    membership_id uuid NOT NULL REFERENCES associate_seats (membership_id),
    head_id uuid NOT NULL REFERENCES accounts (id),
    -- the term whose plan gives the seat
    term_id uuid NOT NULL REFERENCES membership_terms (id),
    -- who took it
    account_id uuid REFERENCES accounts (id),
    state text NOT NULL CHECK (state IN ('invited', 'active', 'declined', 'withdrawn', 'expired', 'ended')),
    -- the address that was invited; only as long as that is open
    email text,
    email_key text,
    token_hash bytea NOT NULL UNIQUE,
    -- exclusive
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    accepted_at timestamptz,
    ended_at timestamptz,
    -- why it ended: head, left, operator, own_membership, head_over, fewer_seats, erased
    cause text,
    CHECK ((state = 'invited') = (email IS NOT NULL AND email_key IS NOT NULL)),
    CHECK ((email IS NULL) = (email_key IS NULL)),
    CHECK ((account_id IS NOT NULL) = (accepted_at IS NOT NULL)),
    CHECK ((state IN ('active', 'ended')) = (accepted_at IS NOT NULL)),
    CHECK ((state IN ('invited', 'active')) = (ended_at IS NULL)),
    CHECK ((state = 'ended') = (cause IS NOT NULL)),
    CHECK (account_id <> head_id)
);
CREATE UNIQUE INDEX associates_one_seat ON associates (account_id) WHERE state = 'active';
CREATE UNIQUE INDEX associates_invited_once ON associates (membership_id, email_key) WHERE state = 'invited';
CREATE INDEX associates_membership ON associates (membership_id, id);
CREATE INDEX associates_account ON associates (account_id, id);
CREATE INDEX associates_head ON associates (head_id, id);
CREATE INDEX associates_email ON associates (email_key) WHERE state = 'invited';
CREATE INDEX associates_open ON associates (expires_at) WHERE state = 'invited';

-- Under which membership an account stands: its own, or the head's whose associate it is. What asks who belongs reads this.
CREATE VIEW standings AS
SELECT m.id AS key, NULL::uuid AS seat_id, m.id, m.account_id, m.tier_id, m.plan_id, m.chapter_id, m.state, m.starts_at,
       m.ends_at, m.frozen_at, m.frozen_causes, m.closed_at, m.version
FROM memberships m WHERE m.state IN ('active', 'frozen')
UNION ALL
SELECT a.id, a.id, m.id, a.account_id, coalesce(t.associate_tier_id, m.tier_id), NULL::uuid, m.chapter_id, m.state,
       a.accepted_at, m.ends_at, m.frozen_at, m.frozen_causes, m.closed_at, m.version
FROM associates a JOIN memberships m ON m.id = a.membership_id JOIN tiers t ON t.id = m.tier_id
WHERE a.state = 'active' AND m.state IN ('active', 'frozen');
