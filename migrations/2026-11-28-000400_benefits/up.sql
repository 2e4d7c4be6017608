-- What a tier gives its members, as rows: with a period, and with what it is.
CREATE TABLE benefits (
    id uuid PRIMARY KEY,
    tier_id uuid NOT NULL REFERENCES tiers (id),
    -- a word for programs
    kind text NOT NULL,
    gives text NOT NULL CONSTRAINT benefits_gives_check
        CHECK (gives IN ('service', 'early_access', 'coupon', 'free_shipping', 'article')),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    -- counted from the start of the membership; null: once a person
    every text,
    -- how often in a period; null: as often as one likes
    allowed bigint CHECK (allowed >= 1),
    campaign_id uuid REFERENCES coupon_campaigns (id),
    variant_id uuid REFERENCES variants (id),
    -- of a service what one use of it is worth, of free shipping the most that it takes off
    value_minor bigint CHECK (value_minor >= 0),
    in_trial boolean NOT NULL,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK ((gives = 'coupon') = (campaign_id IS NOT NULL)),
    CHECK ((gives = 'article') = (variant_id IS NOT NULL)),
    CHECK (allowed IS NOT NULL OR (every IS NULL AND gives IN ('service', 'early_access', 'free_shipping')))
);
CREATE UNIQUE INDEX benefits_kind_of_tier ON benefits (tier_id, kind) WHERE archived_at IS NULL;
CREATE INDEX benefits_variant ON benefits (variant_id) WHERE variant_id IS NOT NULL;

INSERT INTO benefits (id, tier_id, kind, gives, name_zh, name_en, every, allowed, in_trial, created_at)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(row_number() OVER (ORDER BY t.id, b.position)), 12, '0'))::uuid, t.id,
       b.one ->> 'kind', 'service', b.one -> 'names' ->> 'zh-CN', b.one -> 'names' ->> 'en',
       CASE WHEN b.one ->> 'allowed' IS NOT NULL THEN 'P1Y' END, (b.one ->> 'allowed')::bigint, true, t.created_at
FROM tiers t, jsonb_array_elements(t.benefits) WITH ORDINALITY AS b (one, position);
ALTER TABLE tiers DROP COLUMN benefits;

-- Time for which a membership has been frozen: the periods of its benefits stand still for it.
ALTER TABLE memberships ADD COLUMN rested_seconds bigint NOT NULL DEFAULT 0;
UPDATE memberships m SET rested_seconds = f.seconds
FROM (SELECT membership_id, ceil(extract(epoch FROM sum(ended_at - started_at)))::bigint AS seconds
      FROM membership_freezes WHERE ended_at IS NOT NULL GROUP BY membership_id) f WHERE f.membership_id = m.id;
DROP VIEW standings;
CREATE VIEW standings AS
SELECT m.id AS key, NULL::uuid AS seat_id, m.id, m.account_id, m.tier_id, m.plan_id, m.chapter_id, m.state, m.starts_at,
       m.ends_at, m.frozen_at, m.frozen_causes, m.closed_at, m.version, m.rested_seconds, m.starts_at AS periods_from
FROM memberships m WHERE m.state IN ('active', 'frozen')
UNION ALL
SELECT a.id, a.id, m.id, a.account_id, coalesce(t.associate_tier_id, m.tier_id), NULL::uuid, m.chapter_id, m.state,
       a.accepted_at, m.ends_at, m.frozen_at, m.frozen_causes, m.closed_at, m.version, m.rested_seconds, m.starts_at
FROM associates a JOIN memberships m ON m.id = a.membership_id JOIN tiers t ON t.id = m.tier_id
WHERE a.state = 'active' AND m.state IN ('active', 'frozen');

ALTER TABLE order_lines ADD COLUMN benefit_id uuid REFERENCES benefits (id);
-- By how much it was cheaper for its buyer, as a member, than for others.
ALTER TABLE order_lines ADD COLUMN saved_minor bigint NOT NULL DEFAULT 0 CHECK (saved_minor >= 0);

-- Uses of benefits, each for one time that is allowed. Those of an order go the way of its claims.
CREATE TABLE benefit_uses (
    id uuid PRIMARY KEY,
    benefit_id uuid NOT NULL REFERENCES benefits (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    -- under which it was used: the account's own, or its head's
    membership_id uuid NOT NULL REFERENCES memberships (id),
    -- a keyed hash of the address, as for "one a person" everywhere
    person_key text NOT NULL,
    -- once a person, whichever membership it is
    is_once boolean NOT NULL,
    -- periods that were over when it was used
    nth integer NOT NULL CHECK (nth >= 0),
    -- which of those that are allowed in the period, and how many these were; null: as many as one likes
    ordinal bigint NOT NULL CHECK (ordinal >= 1),
    allowed bigint,
    order_id uuid REFERENCES orders (id),
    -- none for the order's parcel
    line_id uuid REFERENCES order_lines (id),
    coupon_id uuid REFERENCES coupons (id),
    -- what one pays for it otherwise; a coupon is worth what it takes off
    worth_minor bigint NOT NULL CHECK (worth_minor >= 0),
    note text,
    created_at timestamptz NOT NULL,
    released_at timestamptz,
    CONSTRAINT benefit_uses_within_allowed CHECK (ordinal <= allowed),
    CHECK (line_id IS NULL OR order_id IS NOT NULL),
    CHECK (coupon_id IS NULL OR order_id IS NULL)
);
CREATE UNIQUE INDEX benefit_uses_a_period ON benefit_uses (membership_id, account_id, benefit_id, nth, ordinal)
    WHERE released_at IS NULL;
CREATE UNIQUE INDEX benefit_uses_once ON benefit_uses (person_key, benefit_id, ordinal)
    WHERE released_at IS NULL AND is_once;
CREATE INDEX benefit_uses_account ON benefit_uses (account_id, id);
CREATE INDEX benefit_uses_benefit ON benefit_uses (benefit_id, id);
CREATE INDEX benefit_uses_order ON benefit_uses (order_id) WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX benefit_uses_coupon ON benefit_uses (coupon_id) WHERE coupon_id IS NOT NULL;
