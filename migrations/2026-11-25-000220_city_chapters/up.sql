-- Areas in which chapters lie, number series beside the chapters', what chapter an account chose or moved to, and who
-- organises a chapter.

-- A tree: that it has no cycle is decided while all of its rows are locked.
CREATE TABLE areas (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT areas_code UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    parent_id uuid CONSTRAINT areas_parent REFERENCES areas (id),
    created_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    CHECK (parent_id <> id)
);
CREATE INDEX areas_children ON areas (parent_id);

ALTER TABLE chapters
    ADD COLUMN area_id uuid CONSTRAINT chapters_area REFERENCES areas (id),
    ADD COLUMN archived_at timestamptz,
    ADD CONSTRAINT chapters_default_stays CHECK (NOT is_default OR archived_at IS NULL),
    ADD CONSTRAINT chapters_id_prefix UNIQUE (id, prefix);
CREATE INDEX chapters_in_area ON chapters (area_id);

-- Numbers by role, such as LS0001 for a teacher: of an account beside its member number.
CREATE TABLE number_series (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT number_series_code UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    prefix text NOT NULL,
    -- the tag of an account that may have one
    role text NOT NULL,
    next_sequence bigint NOT NULL DEFAULT 1 CHECK (next_sequence >= 1),
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT number_series_id_prefix UNIQUE (id, prefix)
);

-- A number belongs to the account for ever.
CREATE TABLE series_numbers (
    number text PRIMARY KEY,
    series_id uuid NOT NULL REFERENCES number_series (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    sequence bigint NOT NULL CHECK (sequence >= 1),
    given_at timestamptz NOT NULL,
    UNIQUE (series_id, sequence),
    CONSTRAINT series_numbers_once UNIQUE (account_id, series_id)
);

-- Chapters and series share one namespace of prefixes, so that no two numbers meet. A prefix changes with its owner's.
CREATE TABLE number_prefixes (
    prefix text PRIMARY KEY,
    chapter_id uuid UNIQUE,
    series_id uuid UNIQUE,
    FOREIGN KEY (chapter_id, prefix) REFERENCES chapters (id, prefix) ON UPDATE CASCADE,
    FOREIGN KEY (series_id, prefix) REFERENCES number_series (id, prefix) ON UPDATE CASCADE,
    CHECK (num_nonnulls(chapter_id, series_id) = 1)
);
INSERT INTO number_prefixes (prefix, chapter_id) SELECT prefix, id FROM chapters;

-- Of an account that never was a member: where it will join.
CREATE TABLE chapter_choices (
    account_id uuid PRIMARY KEY REFERENCES accounts (id),
    chapter_id uuid NOT NULL REFERENCES chapters (id),
    chosen_at timestamptz NOT NULL
);

-- A member went to another chapter. Only ever added to.
CREATE TABLE chapter_moves (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    from_id uuid NOT NULL REFERENCES chapters (id),
    to_id uuid NOT NULL REFERENCES chapters (id),
    moved_at timestamptz NOT NULL,
    CHECK (from_id <> to_id)
);
CREATE INDEX chapter_moves_account ON chapter_moves (account_id, id);
CREATE INDEX memberships_chapter ON memberships (chapter_id, id);

-- An application to organise a chapter; approved, it is the office, until it ends.
CREATE TABLE chapter_organisers (
    id uuid PRIMARY KEY,
    chapter_id uuid NOT NULL REFERENCES chapters (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    state text NOT NULL CHECK (state IN ('received', 'withdrawn', 'approved', 'refused', 'ended')),
    motive text NOT NULL,
    -- the name that he wants to be known by; null: he doesn't want to be listed
    public_name text,
    -- why it was refused or ended
    reason text,
    decided_by uuid,
    decided_at timestamptz,
    ended_at timestamptz,
    created_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    CHECK ((state IN ('received', 'withdrawn')) = (decided_at IS NULL)),
    CHECK ((state IN ('withdrawn', 'ended')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX chapter_organisers_once ON chapter_organisers (chapter_id, account_id)
    WHERE state IN ('received', 'approved');
CREATE INDEX chapter_organisers_state ON chapter_organisers (chapter_id, state, id);
CREATE INDEX chapter_organisers_account ON chapter_organisers (account_id, id);
