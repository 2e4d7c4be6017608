DROP TABLE catalog_version;
ALTER TABLE memberships DROP CONSTRAINT memberships_frozen_causes;
ALTER TABLE memberships ADD COLUMN frozen_cause text CHECK (frozen_cause IN ('dispute', 'operator', 'member'));
UPDATE memberships SET frozen_cause = split_part(frozen_causes[1], ':', 1) WHERE cardinality(frozen_causes) > 0;
ALTER TABLE memberships DROP COLUMN frozen_causes;
ALTER TABLE memberships ADD CHECK ((frozen_at IS NULL) = (frozen_cause IS NULL));
