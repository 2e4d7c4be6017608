ALTER TABLE waiting_entries DROP CONSTRAINT waiting_entries_passed_over;
ALTER TABLE waiting_entries DROP COLUMN passed_over_for;
