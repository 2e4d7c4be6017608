-- A membership may be frozen for several causes at once (an operator's, a dispute's): it resumes when the last one is
-- gone, so each cause is kept: 'operator', 'member', 'dispute:dsp_…'.
ALTER TABLE memberships ADD COLUMN frozen_causes text[] NOT NULL DEFAULT '{}';
UPDATE memberships SET frozen_causes = ARRAY[frozen_cause] WHERE frozen_cause IS NOT NULL;
ALTER TABLE memberships DROP COLUMN frozen_cause;
ALTER TABLE memberships ADD CONSTRAINT memberships_frozen_causes
    CHECK ((frozen_at IS NULL) = (cardinality(frozen_causes) = 0));

-- Raised by every write to tiers, plans and drives, so that each instance sees that its snapshot of them is old.
CREATE TABLE catalog_version (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    version bigint NOT NULL DEFAULT 1
);
INSERT INTO catalog_version DEFAULT VALUES;
