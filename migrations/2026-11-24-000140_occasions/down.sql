DROP INDEX accounts_birthday;
DROP TABLE occasion_grants, occasions;
DELETE FROM pools WHERE kind = 'occasion';
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out'));
