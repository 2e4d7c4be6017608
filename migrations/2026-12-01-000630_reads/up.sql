-- By which reads find few rows of a large table.

-- What went back of a line: whoever looks at his membership asks for it, and so does the foreign key.
CREATE INDEX refund_lines_line ON refund_lines (line_id);

-- What happened since some day, and before another.
CREATE INDEX audit_log_at ON audit_log (at);

-- The few of all who applied that are named in public.
CREATE INDEX chapter_organisers_public ON chapter_organisers (id) WHERE state = 'approved' AND public_name IS NOT NULL;
