-- Codes that have ended are passed over by the index; of the others the one that ends first is given first.
DROP INDEX treat_codes_free;
CREATE INDEX treat_codes_free ON treat_codes (treat_id, coalesce(expires_at, 'infinity'::timestamptz), id)
    WHERE account_id IS NULL;
