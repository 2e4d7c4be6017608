DELETE FROM import_errors WHERE import_id IN (SELECT id FROM imports WHERE kind = 'treat_codes');
DELETE FROM import_parts WHERE import_id IN (SELECT id FROM imports WHERE kind = 'treat_codes');
DELETE FROM imports WHERE kind = 'treat_codes';
DELETE FROM give_out_claims WHERE coupon_id IS NULL;
ALTER TABLE give_out_claims DROP CONSTRAINT give_out_claims_of_one;
ALTER TABLE give_out_claims DROP COLUMN treat_code_id;
ALTER TABLE give_out_claims ALTER COLUMN coupon_id SET NOT NULL;
WITH gone AS (DELETE FROM give_out_rounds WHERE give_out_id IN (SELECT id FROM give_outs WHERE campaign_id IS NULL)
              RETURNING pool_id)
DELETE FROM pools WHERE id IN (SELECT pool_id FROM gone);
WITH gone AS (DELETE FROM give_outs WHERE campaign_id IS NULL RETURNING code)
DELETE FROM claim_codes WHERE code IN (SELECT code FROM gone);
ALTER TABLE give_outs DROP CONSTRAINT give_outs_of_one;
ALTER TABLE give_outs DROP COLUMN treat_id;
ALTER TABLE give_outs ALTER COLUMN campaign_id SET NOT NULL;
DROP TABLE treat_codes;
DELETE FROM api_keys WHERE roles = ARRAY['counter'];
ALTER TABLE api_keys DROP CONSTRAINT api_keys_counter;
ALTER TABLE api_keys DROP COLUMN merchant_id, DROP COLUMN outlet;
ALTER TABLE api_keys DROP CONSTRAINT api_keys_roles_check;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_roles_check
    CHECK (roles <> '{}' AND roles <@ ARRAY['owner', 'manager', 'support', 'analyst']);
DROP TABLE treats, merchants;
