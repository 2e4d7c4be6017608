-- Announcements, the lists of mails that one may leave, and addresses that nothing of a list is sent to.

-- Mails of notices wait in a lane of their own, so that an order's mail never waits for them.
ALTER TABLE jobs DROP CONSTRAINT jobs_lane_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_lane_check CHECK (lane IN ('stripe', 'mail', 'notice', 'local'));

-- A list that an account has left. Who comes back has no row.
CREATE TABLE mail_opt_outs (
    account_id uuid NOT NULL REFERENCES accounts (id),
    list text NOT NULL CHECK (list IN ('notices', 'coupons', 'birthday', 'reminders')),
    opted_out_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, list)
);

CREATE TABLE mail_suppressions (
    id uuid PRIMARY KEY,
    email_key text NOT NULL CONSTRAINT mail_suppressions_email_key UNIQUE,
    reason text NOT NULL CHECK (reason IN ('hard_bounce', 'complaint', 'by_hand')),
    created_at timestamptz NOT NULL
);

CREATE TABLE notices (
    id uuid PRIMARY KEY,
    subject_zh text NOT NULL,
    subject_en text NOT NULL,
    body_zh text NOT NULL,
    body_en text NOT NULL,
    -- for whom: one of them
    tier_id uuid REFERENCES tiers (id),
    chapter_id uuid REFERENCES chapters (id),
    segment_id uuid REFERENCES segments (id),
    state text NOT NULL CHECK (state IN ('draft', 'scheduled', 'sending', 'sent', 'cancelled')),
    -- the test mails, and the version whose words they had
    test_zh uuid REFERENCES mails (id),
    test_en uuid REFERENCES mails (id),
    tested_version integer,
    send_at timestamptz,
    -- accounts before this one are still to be looked at; they are gone through from the newest to the oldest
    before uuid NOT NULL,
    collected_at timestamptz,
    recipients bigint NOT NULL DEFAULT 0 CHECK (recipients >= 0),
    queued bigint NOT NULL DEFAULT 0 CHECK (queued >= 0),
    skipped bigint NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    cancelled bigint NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    version integer NOT NULL,
    CONSTRAINT notices_one_audience CHECK (num_nonnulls(tier_id, chapter_id, segment_id) = 1),
    CHECK ((test_zh IS NULL) = (tested_version IS NULL) AND (test_en IS NULL) = (tested_version IS NULL)),
    CHECK (state = 'draft' OR state = 'cancelled' OR send_at IS NOT NULL),
    CHECK ((state IN ('sent', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK (queued + skipped + cancelled <= recipients)
);

-- Whom a notice is for, each once.
CREATE TABLE notice_recipients (
    notice_id uuid NOT NULL REFERENCES notices (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    state text NOT NULL CHECK (state IN ('waiting', 'queued', 'skipped', 'cancelled')),
    -- why it was skipped
    reason text CHECK (reason IN ('opted_out', 'suppressed', 'cap', 'gone')),
    -- of the shop, in which it counts for the member
    month text,
    decided_at timestamptz,
    PRIMARY KEY (notice_id, account_id),
    CHECK ((state = 'skipped') = (reason IS NOT NULL)),
    CHECK ((state = 'queued') = (month IS NOT NULL)),
    CHECK ((state = 'waiting') = (decided_at IS NULL))
);
CREATE INDEX notice_recipients_waiting ON notice_recipients (notice_id, account_id) WHERE state = 'waiting';
CREATE INDEX notice_recipients_account ON notice_recipients (account_id);

-- Notices that a member got in a month, and the most that one may get: claimed by a guarded write.
CREATE TABLE notice_months (
    account_id uuid NOT NULL REFERENCES accounts (id),
    month text NOT NULL,
    taken integer NOT NULL,
    cap integer NOT NULL,
    PRIMARY KEY (account_id, month),
    CONSTRAINT notice_months_within_cap CHECK (taken >= 1 AND taken <= cap)
);
