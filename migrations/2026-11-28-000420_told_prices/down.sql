ALTER TABLE renewals DROP COLUMN told_minor;
