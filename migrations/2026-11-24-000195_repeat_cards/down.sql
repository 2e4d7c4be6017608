DROP TABLE coupon_flags;
ALTER TABLE coupon_campaigns DROP COLUMN on_repeat_card;
