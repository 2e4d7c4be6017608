ALTER TABLE accounts DROP COLUMN birthday;
DROP INDEX claims_of_order_once;
DELETE FROM claims WHERE line_id IS NULL;
ALTER TABLE claims ALTER COLUMN line_id SET NOT NULL;
DROP TABLE line_coupons, coupon_uses, coupon_issues, coupons, coupon_days, coupon_campaigns;
DELETE FROM pools WHERE kind IN ('coupon', 'coupon_day', 'coupon_budget');
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel'));
