ALTER TABLE occasions DROP CONSTRAINT occasions_event_check;
ALTER TABLE occasions ADD CONSTRAINT occasions_event_check
    CHECK (event IN ('sign_up', 'birthday', 'nth_order'));
DROP TABLE trials;
ALTER TABLE membership_terms DROP CONSTRAINT membership_terms_source_check;
ALTER TABLE membership_terms ADD CONSTRAINT membership_terms_source_check
    CHECK (source IN ('order', 'grant', 'extension', 'gift'));
ALTER TABLE plans DROP COLUMN trial_days;
