-- Levels are earned, not bought: by what somebody has done (metrics), up at once, down only by a review. The ladder says how
-- close somebody is to the shop. Rules of both are data.

-- What an order has left in the shop: money and store credit, less what went back and what bought gift cards, which count when
-- they are spent. Nothing, where the bank took it back. An order stands as one that somebody bought by while something of it does.
CREATE VIEW order_money AS
SELECT o.id, o.account_id, o.paid_at,
       CASE WHEN d.is_lost THEN 0
            ELSE o.due_minor + o.credit_minor - o.refunded_minor + coalesce(l.points_back_minor, 0) - coalesce(l.cards_minor, 0)
       END AS minor,
       NOT d.is_lost AND o.total_minor > o.refunded_minor AS stands
FROM orders o
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM disputes d WHERE d.order_id = o.id AND d.state = 'lost') AS is_lost) d
LEFT JOIN LATERAL (SELECT sum(l.points_back_minor) AS points_back_minor,
                          sum(l.total_minor - l.refunded_minor) FILTER (WHERE l.kind = 'gift_card') AS cards_minor
                   FROM order_lines l WHERE l.order_id = o.id) l ON true
WHERE o.paid_at IS NOT NULL;
CREATE INDEX orders_paid_by ON orders (account_id, paid_at) WHERE paid_at IS NOT NULL;

CREATE TABLE levels (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT levels_code UNIQUE,
    -- the higher the better
    rank integer NOT NULL CHECK (rank >= 1),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    -- criteria; null: only operators and tiers give it
    enter jsonb,
    -- null: those to enter
    keep jsonb,
    -- a period, from the day on which it was reached
    review text NOT NULL,
    -- a mail tells what is missing so many days before a review
    warn_days integer NOT NULL CHECK (warn_days >= 0),
    -- who doesn't keep it at a review is judged once more, so many days later
    grace_days integer NOT NULL CHECK (grace_days >= 0),
    -- where a review leads that it isn't kept in: one level down, or to the highest that fits
    drops text NOT NULL CHECK (drops IN ('one_down', 'to_fit')),
    -- once a person
    welcome_points bigint NOT NULL CHECK (welcome_points >= 0),
    -- what its holders may do in their chapter
    role text CHECK (role IN ('organiser', 'reviewer')),
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX levels_rank ON levels (rank) WHERE archived_at IS NULL;

-- Who has a membership of the tier stands on this level at least.
ALTER TABLE tiers ADD COLUMN floor_level_id uuid REFERENCES levels (id);

CREATE TABLE account_levels (
    account_id uuid PRIMARY KEY REFERENCES accounts (id),
    -- earned; null: none
    level_id uuid REFERENCES levels (id),
    since timestamptz,
    -- the last judgement that it rests on: as of when, and by which criteria
    judged_at timestamptz,
    judged_by text CHECK (judged_by IN ('enter', 'keep', 'drop')),
    -- the next review; while in grace, its end
    due_at timestamptz,
    in_grace boolean NOT NULL DEFAULT false,
    -- when the mail before the review is due; null: it went out
    warn_at timestamptz,
    -- given by an operator
    manual_level_id uuid REFERENCES levels (id),
    -- exclusive; null: until it is taken back
    manual_until timestamptz,
    CHECK ((level_id IS NULL) = (since IS NULL)),
    CHECK ((level_id IS NULL) = (due_at IS NULL)),
    CHECK ((level_id IS NULL) = (judged_at IS NULL)),
    CHECK ((judged_at IS NULL) = (judged_by IS NULL)),
    CHECK (level_id IS NOT NULL OR (warn_at IS NULL AND NOT in_grace)),
    CHECK (manual_level_id IS NOT NULL OR manual_until IS NULL)
) WITH (fillfactor = 80);
CREATE INDEX account_levels_due ON account_levels (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX account_levels_warn ON account_levels (warn_at) WHERE warn_at IS NOT NULL;
CREATE INDEX account_levels_manual ON account_levels (manual_until) WHERE manual_until IS NOT NULL;
CREATE INDEX account_levels_level ON account_levels (level_id) WHERE level_id IS NOT NULL;

-- Whatever a judgement came to, with what it was made by; never changed.
CREATE TABLE level_changes (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    kind text NOT NULL CHECK (kind IN ('raised', 'kept', 'grace', 'dropped', 'corrected', 'manual', 'manual_ended')),
    from_level_id uuid REFERENCES levels (id),
    to_level_id uuid REFERENCES levels (id),
    -- a review is held once
    cause text NOT NULL CONSTRAINT level_changes_cause UNIQUE,
    -- the criteria, and what was counted for them
    why jsonb NOT NULL,
    -- an operator's
    reason text,
    -- as of when
    judged_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX level_changes_account ON level_changes (account_id, id);

-- Accounts to look at: they bought, earned, brought somebody, or something of that went back.
CREATE TABLE level_looks (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    went_back boolean NOT NULL,
    -- when it happened
    at timestamptz NOT NULL
);

-- Benefits are of a tier or of a level. A level's need no membership, and their periods are counted from the sign-up.
ALTER TABLE benefits ALTER COLUMN tier_id DROP NOT NULL;
ALTER TABLE benefits ADD COLUMN level_id uuid REFERENCES levels (id);
ALTER TABLE benefits ADD CONSTRAINT benefits_of_one CHECK (num_nonnulls(tier_id, level_id) = 1);
CREATE UNIQUE INDEX benefits_kind_of_level ON benefits (level_id, kind) WHERE archived_at IS NULL;
ALTER TABLE benefit_uses ALTER COLUMN membership_id DROP NOT NULL;
DROP INDEX benefit_uses_a_period;
CREATE UNIQUE INDEX benefit_uses_a_period ON benefit_uses (account_id, benefit_id, membership_id, nth, ordinal)
    NULLS NOT DISTINCT WHERE released_at IS NULL;
CREATE INDEX benefit_uses_membership ON benefit_uses (membership_id, created_at) WHERE membership_id IS NOT NULL;

-- 客户, 用户, 粉丝, 朋友: how close somebody is. The highest whose criteria hold, each day anew.
CREATE TABLE stages (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT stages_code UNIQUE,
    rank integer NOT NULL CHECK (rank >= 1),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    criteria jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX stages_rank ON stages (rank) WHERE archived_at IS NULL;
INSERT INTO stages (id, code, rank, name_zh, name_en, criteria, created_at) VALUES
    ('00000000-0000-7000-8000-00000000c001', 'customer', 10, '客户', 'Customer',
     '{"metric": "orders", "amount": 1}', '2026-11-30T00:00:00Z'),
    ('00000000-0000-7000-8000-00000000c002', 'user', 20, '用户', 'User',
     '{"metric": "orders", "amount": 2}', '2026-11-30T00:00:00Z'),
    ('00000000-0000-7000-8000-00000000c003', 'fan', 30, '粉丝', 'Fan',
     '{"all": [{"metric": "orders", "amount": 2, "window": "P1Y"}, {"metric": "referrals", "amount": 1}]}',
     '2026-11-30T00:00:00Z'),
    ('00000000-0000-7000-8000-00000000c004', 'friend', 40, '朋友', 'Friend',
     '{"all": [{"metric": "tenure", "amount": 365}, {"metric": "orders", "amount": 2, "window": "P1Y"},
               {"metric": "referrals", "amount": 2}, {"level": "any"}]}', '2026-11-30T00:00:00Z');

CREATE TABLE account_stages (
    account_id uuid PRIMARY KEY REFERENCES accounts (id),
    -- null: it stood on one before
    stage_id uuid REFERENCES stages (id),
    since timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX account_stages_stage ON account_stages (stage_id, account_id) WHERE stage_id IS NOT NULL;

CREATE TABLE stage_changes (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    from_stage_id uuid REFERENCES stages (id),
    to_stage_id uuid REFERENCES stages (id),
    -- the criteria, and what was counted for them
    why jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK (from_stage_id IS DISTINCT FROM to_stage_id)
);
CREATE INDEX stage_changes_account ON stage_changes (account_id, id);

-- Walks over everybody, part by part: what one has done stays done.
CREATE TABLE loyalty_walks (
    id uuid PRIMARY KEY,
    -- the shop's; one a day, and more where operators asked for them
    day date NOT NULL,
    -- accounts up to here are done; null: none yet
    cursor uuid,
    judged bigint NOT NULL DEFAULT 0,
    raised bigint NOT NULL DEFAULT 0,
    moved bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE UNIQUE INDEX loyalty_walks_open ON loyalty_walks ((true)) WHERE finished_at IS NULL;
CREATE INDEX loyalty_walks_day ON loyalty_walks (day);
