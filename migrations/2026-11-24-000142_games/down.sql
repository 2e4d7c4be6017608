DROP TABLE game_plays, game_prizes, games;
DELETE FROM pools WHERE kind = 'prize';
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion'));
ALTER TABLE give_outs DROP CONSTRAINT give_outs_claim_code;
DROP TABLE claim_codes;
