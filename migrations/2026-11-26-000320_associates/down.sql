DROP VIEW standings;
DROP TABLE associates;
DROP TABLE associate_seats;
ALTER TABLE tiers DROP COLUMN associate_tier_id;
ALTER TABLE plans DROP COLUMN associate_seats;
