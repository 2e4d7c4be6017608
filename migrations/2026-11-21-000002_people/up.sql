-- email: as typed; email_key: for signing in and uniqueness (trimmed, lower case); person_key: for "one a person"
-- (no plus tag, no dots where the domain ignores them). All three are null after erasure.
CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    email text,
    email_key text,
    person_key text,
    password_hash text,
    name text,
    locale text NOT NULL CHECK (locale IN ('zh-CN', 'en')),
    marketing boolean NOT NULL DEFAULT false,
    roles text[] NOT NULL DEFAULT '{}' CHECK (roles <@ ARRAY['owner', 'manager', 'support', 'analyst']),
    invite_code text,
    stripe_customer_id text,
    email_verified_at timestamptz,
    created_at timestamptz NOT NULL,
    erased_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT accounts_email_key UNIQUE (email_key)
);
CREATE INDEX accounts_person ON accounts (person_key);
CREATE INDEX accounts_operators ON accounts (id) WHERE roles <> '{}';

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    user_agent text NOT NULL,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_reason text CHECK (ended_reason IN ('signed_out', 'reset', 'reuse', 'erased', 'ended_by_operator')),
    CHECK ((ended_at IS NULL) = (ended_reason IS NULL))
);
CREATE INDEX sessions_account ON sessions (account_id, id);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Only hashes are kept. The successor is derived from the token itself and the row's salt, so that a repeat within
-- ten seconds can be answered with the same successor.
CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions (id),
    salt bytea NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- One-time tokens that go out by mail; only hashes are kept.
CREATE TABLE account_tokens (
    hash bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    purpose text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password', 'change_email')),
    email text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX account_tokens_account ON account_tokens (account_id, purpose);

-- Ed25519 keys of the access tokens. The newest signs; the others verify until expires_at.
CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    private_key bytea NOT NULL,
    public_key bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    roles text[] NOT NULL CHECK (roles <> '{}' AND roles <@ ARRAY['owner', 'manager', 'support', 'analyst']),
    created_by uuid NOT NULL REFERENCES accounts (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);

-- The shop's terms of sale, version by version; the newest is in force.
CREATE TABLE terms_versions (
    version text PRIMARY KEY,
    url text NOT NULL,
    published_at timestamptz NOT NULL
);
