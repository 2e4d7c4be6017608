DROP TABLE chain_rights, packet_parts, packets, chains;
DELETE FROM pools WHERE kind IN ('packet', 'chain_links', 'chain_budget');
DELETE FROM claim_codes WHERE kind IN ('packet', 'chain');
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion', 'prize'));
ALTER TABLE claim_codes DROP CONSTRAINT claim_codes_kind_check;
ALTER TABLE claim_codes ADD CONSTRAINT claim_codes_kind_check CHECK (kind IN ('give_out', 'game'));
