-- Files with a line a thing, and what becomes of each line. What is still to be done lies in import_parts, so that an
-- import goes on where it stopped whatever happens to the program.
CREATE TABLE imports (
    id uuid PRIMARY KEY,
    -- what the lines are: src/imports/mod.rs
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    -- tells what is wrong and changes nothing
    is_dry_run boolean NOT NULL,
    -- its columns, in their order
    header text[] NOT NULL,
    lines integer NOT NULL CHECK (lines >= 0),
    lines_done integer NOT NULL DEFAULT 0 CHECK (lines_done BETWEEN 0 AND lines),
    lines_failed integer NOT NULL DEFAULT 0 CHECK (lines_failed BETWEEN 0 AND lines_done),
    created integer NOT NULL DEFAULT 0,
    changed integer NOT NULL DEFAULT 0,
    actor_kind text NOT NULL,
    actor_id uuid,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'failed'))),
    CHECK (state <> 'done' OR lines_done = lines)
);

-- Lines that are still to be done: [[line of the file, [cells]], …].
CREATE TABLE import_parts (
    import_id uuid NOT NULL REFERENCES imports (id),
    number integer NOT NULL,
    rows jsonb NOT NULL,
    PRIMARY KEY (import_id, number)
);

CREATE TABLE import_errors (
    import_id uuid NOT NULL REFERENCES imports (id),
    line integer NOT NULL,
    -- empty: the line as a whole
    column_name text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (import_id, line)
);
