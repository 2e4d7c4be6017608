-- The shop's time is the machine's plus this offset; only the demo and tests raise it.
CREATE TABLE shop_clock (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    offset_micros bigint NOT NULL DEFAULT 0 CHECK (offset_micros >= 0)
);
INSERT INTO shop_clock DEFAULT VALUES;

-- Instances that run now: they share Stripe's rate limit. seen_at is the machine's time.
CREATE TABLE instances (
    id uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

-- Work to be done outside the transaction that caused it. run_at is the shop's time, leased_until the machine's.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    lane text NOT NULL CHECK (lane IN ('stripe', 'mail', 'local')),
    kind text NOT NULL,
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'dead')),
    run_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    lease uuid,
    leased_until timestamptz,
    last_error text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK ((state = 'running') = (lease IS NOT NULL))
);
CREATE INDEX jobs_due ON jobs (lane, run_at) WHERE state = 'queued';
CREATE INDEX jobs_leases ON jobs (leased_until) WHERE state = 'running';
CREATE INDEX jobs_dead ON jobs (id) WHERE state = 'dead';
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE state = 'done';

-- Periodic work, by the shop's time; a missed run is made up once.
CREATE TABLE schedules (
    name text PRIMARY KEY,
    next_run_at timestamptz NOT NULL
);

-- Attempts (sign-in, reset, codes) in a window of the machine's time, counted over all instances.
CREATE TABLE attempts (
    key text PRIMARY KEY,
    window_started_at timestamptz NOT NULL,
    count integer NOT NULL CHECK (count >= 0)
);
CREATE INDEX attempts_window ON attempts (window_started_at);

-- Who did what to money, rights and rules. Each row carries the hash of the one before, so that an edit shows.
CREATE TABLE audit_log (
    seq bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor_kind text NOT NULL CHECK (actor_kind IN ('operator', 'api_key', 'account', 'system')),
    actor_id uuid,
    action text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    reason text,
    detail jsonb NOT NULL,
    prev_hash bytea NOT NULL UNIQUE,
    hash bytea NOT NULL UNIQUE
);
CREATE INDEX audit_log_subject ON audit_log (subject_kind, subject_id, seq);

CREATE TABLE audit_head (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    seq bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT '\x'
);
INSERT INTO audit_head DEFAULT VALUES;

-- No rule of the shop rests on this trigger; it keeps hands and later code off the log.
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
