-- A bounded quantity: places, uses of an invitation, later stock and coupon budgets. The CHECK is the alarm; the rule
-- is decided under the row's lock.
CREATE TABLE pools (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('drive', 'invitation')),
    capacity bigint NOT NULL,
    held bigint NOT NULL DEFAULT 0,
    taken bigint NOT NULL DEFAULT 0,
    CONSTRAINT pools_within_capacity CHECK (held >= 0 AND taken >= 0 AND held + taken <= capacity)
);

CREATE TABLE tiers (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT tiers_code UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    rank integer NOT NULL,
    benefits jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1
);

CREATE TABLE plans (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT plans_code UNIQUE,
    tier_id uuid NOT NULL REFERENCES tiers (id),
    term text NOT NULL,
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    currency text NOT NULL,
    renews text NOT NULL CHECK (renews IN ('never', 'card')),
    payment_methods text[] NOT NULL CHECK (payment_methods <@ ARRAY['card', 'wechat_pay', 'alipay']
        AND cardinality(payment_methods) > 0),
    hold_minutes integer NOT NULL DEFAULT 15 CHECK (hold_minutes BETWEEN 1 AND 1380),
    -- false: sold in drives alone
    open_sale boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1
);
CREATE INDEX plans_tier ON plans (tier_id);

CREATE TABLE chapters (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT chapters_code UNIQUE,
    name text NOT NULL,
    prefix text NOT NULL CONSTRAINT chapters_prefix UNIQUE,
    next_sequence bigint NOT NULL DEFAULT 1 CHECK (next_sequence >= 1),
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX chapters_one_default ON chapters (is_default) WHERE is_default;
INSERT INTO chapters (id, code, name, prefix, is_default, created_at)
    VALUES ('00000000-0000-7000-8000-000000000001', 'default', 'Default', 'KD', true, '2026-01-01T00:00:00Z');

-- A number belongs to the account for ever.
CREATE TABLE member_numbers (
    number text PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id) CONSTRAINT member_numbers_account UNIQUE,
    chapter_id uuid NOT NULL REFERENCES chapters (id),
    sequence bigint NOT NULL CHECK (sequence >= 1),
    given_at timestamptz NOT NULL,
    UNIQUE (chapter_id, sequence)
);

-- One account's membership; open ones (active, frozen) are at most one an account. Whether it gives access now follows
-- from state and dates (memberships/rules.rs); ends_at null is for life.
CREATE TABLE memberships (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    tier_id uuid NOT NULL REFERENCES tiers (id),
    plan_id uuid REFERENCES plans (id),
    chapter_id uuid NOT NULL REFERENCES chapters (id),
    state text NOT NULL CHECK (state IN ('active', 'frozen', 'expired', 'revoked')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    frozen_at timestamptz,
    frozen_cause text CHECK (frozen_cause IN ('dispute', 'operator', 'member')),
    closed_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (ends_at IS NULL OR ends_at >= starts_at),
    CHECK ((state = 'frozen') = (frozen_at IS NOT NULL)),
    CHECK ((frozen_at IS NULL) = (frozen_cause IS NULL)),
    CHECK ((state IN ('expired', 'revoked')) = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX memberships_one_open ON memberships (account_id) WHERE state IN ('active', 'frozen');
CREATE INDEX memberships_account ON memberships (account_id, id);
CREATE INDEX memberships_ending ON memberships (ends_at) WHERE state = 'active';

-- A drive sells one plan to a quota in a window; its places are a pool. released parts: drive_releases.
CREATE TABLE drives (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT drives_code UNIQUE,
    series text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    plan_id uuid NOT NULL REFERENCES plans (id),
    pool_id uuid NOT NULL UNIQUE REFERENCES pools (id),
    admission text NOT NULL CHECK (admission IN ('open', 'invitation', 'application')),
    opens_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    buy_within_hours integer NOT NULL DEFAULT 72 CHECK (buy_within_hours > 0),
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (opens_at < closes_at)
);
CREATE INDEX drives_series ON drives (series);

-- The parts in which a quota is let out; they add up to the pool's capacity.
CREATE TABLE drive_releases (
    drive_id uuid NOT NULL REFERENCES drives (id),
    at timestamptz NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (drive_id, at)
);

-- A right to join a drive by invitation: a code for several uses, or one use reserved for an address.
CREATE TABLE drive_invitations (
    id uuid PRIMARY KEY,
    drive_id uuid NOT NULL REFERENCES drives (id),
    code text NOT NULL CONSTRAINT drive_invitations_code UNIQUE,
    email_key text,
    pool_id uuid NOT NULL UNIQUE REFERENCES pools (id),
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT drive_invitations_address UNIQUE (drive_id, email_key)
);

CREATE TABLE drive_applications (
    id uuid PRIMARY KEY,
    drive_id uuid NOT NULL REFERENCES drives (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    answers jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('received', 'approved', 'refused')),
    reason text,
    decided_by uuid,
    decided_at timestamptz,
    buy_until timestamptz,
    created_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT drive_applications_once UNIQUE (drive_id, account_id),
    CHECK ((state = 'received') = (decided_at IS NULL)),
    CHECK ((state = 'approved') = (buy_until IS NOT NULL))
);
CREATE INDEX drive_applications_state ON drive_applications (drive_id, state, id);
