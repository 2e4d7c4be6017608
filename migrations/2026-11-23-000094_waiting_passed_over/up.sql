-- Why somebody who waited was passed over when it was his turn: a problem code such as tier_required, or account_erased.
ALTER TABLE waiting_entries ADD COLUMN passed_over_for text;
ALTER TABLE waiting_entries ADD CONSTRAINT waiting_entries_passed_over
    CHECK (passed_over_for IS NULL OR (state = 'closed' AND f_code_id IS NULL));
