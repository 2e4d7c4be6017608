DROP INDEX treat_codes_free;
CREATE INDEX treat_codes_free ON treat_codes (treat_id, id) WHERE account_id IS NULL;
