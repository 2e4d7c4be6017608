-- Points: a ledger of lots. What somebody earns at once is a lot; an entry moves points between the states of one lot, is
-- appended and never edited. A lot, and an account's balance, are the sums of their entries.
CREATE TABLE points_programme (
    id integer PRIMARY KEY CHECK (id = 1),
    is_on boolean NOT NULL,
    -- hundredths of a point for each 100 minor units: to spend, and such as count for levels
    rate_bp integer NOT NULL CHECK (rate_bp >= 0),
    level_rate_bp integer NOT NULL CHECK (level_rate_bp >= 0),
    -- so many points pay so many minor units, in whole steps; null: points can't pay
    step_points bigint CHECK (step_points > 0),
    step_minor bigint CHECK (step_minor > 0),
    least_points bigint NOT NULL CHECK (least_points >= 0),
    -- hundredths of a percent of what an order comes to
    most_share_bp integer NOT NULL CHECK (most_share_bp BETWEEN 0 AND 10000),
    -- from the day on which points can be spent; null: they last
    lasts_months integer CHECK (lasts_months > 0),
    warn_days integer NOT NULL CHECK (warn_days > 0),
    -- what becomes of points that are taken back after they were spent
    overdrawn text NOT NULL CHECK (overdrawn IN ('owe', 'block')),
    check_in_points bigint NOT NULL CHECK (check_in_points >= 0),
    -- [{"days": 7, "points": 20}]
    streaks jsonb NOT NULL,
    version integer NOT NULL,
    CHECK ((step_points IS NULL) = (step_minor IS NULL))
);
INSERT INTO points_programme (id, is_on, rate_bp, level_rate_bp, least_points, most_share_bp, warn_days, overdrawn,
                              check_in_points, streaks, version)
    VALUES (1, false, 100, 100, 0, 5000, 30, 'owe', 0, '[]', 1);

-- What earns more, or nothing: the best rate of those that fit a line counts.
CREATE TABLE points_rules (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT points_rules_code UNIQUE,
    -- empty: everything
    scope jsonb NOT NULL,
    audience jsonb,
    rate_bp integer CHECK (rate_bp >= 0),
    level_rate_bp integer CHECK (level_rate_bp >= 0),
    starts_at timestamptz,
    -- exclusive
    ends_at timestamptz,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (starts_at < ends_at),
    CHECK (rate_bp IS NOT NULL OR level_rate_bp IS NOT NULL)
);

CREATE TABLE points_balances (
    account_id uuid PRIMARY KEY REFERENCES accounts (id),
    pending bigint NOT NULL DEFAULT 0 CHECK (pending >= 0),
    active bigint NOT NULL DEFAULT 0 CONSTRAINT points_balances_never_overdrawn CHECK (active >= 0),
    -- taken back after they were spent
    owed bigint NOT NULL DEFAULT 0 CHECK (owed >= 0)
) WITH (fillfactor = 80);

CREATE TABLE points_lots (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    kind text NOT NULL CHECK (kind IN ('order', 'check_in', 'referral', 'operator', 'level', 'restored')),
    -- the same cause never pays twice
    cause text NOT NULL CONSTRAINT points_lots_cause UNIQUE,
    order_id uuid REFERENCES orders (id),
    points bigint NOT NULL CHECK (points >= 0),
    level_points bigint NOT NULL CHECK (level_points >= 0),
    pending bigint NOT NULL CHECK (pending >= 0),
    active bigint NOT NULL CHECK (active >= 0),
    spent bigint NOT NULL DEFAULT 0 CHECK (spent >= 0),
    expired bigint NOT NULL DEFAULT 0 CHECK (expired >= 0),
    reversed bigint NOT NULL DEFAULT 0 CHECK (reversed >= 0),
    -- of what was spent: taken back all the same, from what the account has or gets
    clawed_back bigint NOT NULL DEFAULT 0 CHECK (clawed_back >= 0),
    level_reversed bigint NOT NULL DEFAULT 0 CHECK (level_reversed >= 0),
    -- since when it isn't pending; its level points count from then on
    active_at timestamptz,
    expires_at timestamptz,
    warned_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT points_lots_conserved CHECK (points = pending + active + spent + expired + reversed),
    CHECK (level_reversed <= level_points),
    CHECK (active_at IS NOT NULL OR points = pending + reversed)
) WITH (fillfactor = 80);
CREATE INDEX points_lots_account ON points_lots (account_id, id);
CREATE INDEX points_lots_spendable ON points_lots (account_id, expires_at, id) WHERE active > 0;
CREATE INDEX points_lots_expiring ON points_lots (expires_at) WHERE active > 0 AND expires_at IS NOT NULL;
CREATE INDEX points_lots_order ON points_lots (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE points_entries (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    -- null: it moves only what is owed
    lot_id uuid REFERENCES points_lots (id),
    kind text NOT NULL CONSTRAINT points_entries_kind_check CHECK (kind IN (
        'earned', 'matured', 'spent', 'returned', 'expired', 'reversed', 'restored', 'owed', 'settled', 'forgiven')),
    cause text NOT NULL,
    pending bigint NOT NULL DEFAULT 0,
    active bigint NOT NULL DEFAULT 0,
    spent bigint NOT NULL DEFAULT 0,
    expired bigint NOT NULL DEFAULT 0,
    reversed bigint NOT NULL DEFAULT 0,
    owed bigint NOT NULL DEFAULT 0,
    -- level points, which count or no longer do
    level bigint NOT NULL DEFAULT 0,
    -- it pays, or has earned them
    order_id uuid REFERENCES orders (id),
    reason text,
    created_at timestamptz NOT NULL,
    CONSTRAINT points_entries_cause UNIQUE NULLS NOT DISTINCT (cause, lot_id, kind),
    CHECK (kind = 'earned' OR pending + active + spent + expired + reversed = 0)
);
CREATE INDEX points_entries_account ON points_entries (account_id, id);
CREATE INDEX points_entries_lot ON points_entries (lot_id) WHERE lot_id IS NOT NULL;
CREATE INDEX points_entries_order ON points_entries (order_id) WHERE order_id IS NOT NULL;

-- Points that an order pays with; what they are worth is points_minor.
ALTER TABLE orders ADD COLUMN points bigint NOT NULL DEFAULT 0 CHECK (points >= 0);
ALTER TABLE orders ADD CONSTRAINT orders_points_worth CHECK ((points = 0) = (points_minor = 0));
-- Of a line: what points paid, what of that came back as points, and what the rest earns: hundredths of a point for each 100 minor units.
ALTER TABLE order_lines ADD COLUMN points_minor bigint NOT NULL DEFAULT 0 CHECK (points_minor >= 0);
ALTER TABLE order_lines ADD COLUMN points_back_minor bigint NOT NULL DEFAULT 0
    CHECK (points_back_minor BETWEEN 0 AND refunded_minor);
ALTER TABLE order_lines ADD COLUMN points_rate_bp integer NOT NULL DEFAULT 0 CHECK (points_rate_bp >= 0);
ALTER TABLE order_lines ADD COLUMN level_rate_bp integer NOT NULL DEFAULT 0 CHECK (level_rate_bp >= 0);
-- What goes back as points: how many.
ALTER TABLE refunds ADD COLUMN points bigint CHECK (points >= 0);
ALTER TABLE refunds ADD CONSTRAINT refunds_one_way CHECK (points IS NULL OR payment_id IS NULL);

-- 每日打卡: once a day of the shop.
CREATE TABLE check_ins (
    account_id uuid NOT NULL REFERENCES accounts (id),
    day date NOT NULL,
    -- days in a row, this one among them
    streak integer NOT NULL CHECK (streak >= 1),
    points bigint NOT NULL CHECK (points >= 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, day)
);

-- What taking one costs; null: nothing.
ALTER TABLE give_outs ADD COLUMN points bigint CHECK (points > 0);
