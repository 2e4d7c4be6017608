-- A referral may reward with points.
ALTER TABLE referral_rewards ADD COLUMN points bigint CHECK (points > 0);
ALTER TABLE referral_rewards DROP CONSTRAINT referral_rewards_kind_check;
ALTER TABLE referral_rewards ADD CONSTRAINT referral_rewards_kind_check
    CHECK (kind IN ('coupon', 'credit', 'membership_days', 'points'));
ALTER TABLE referral_rewards DROP CONSTRAINT referral_rewards_check;
ALTER TABLE referral_rewards ADD CONSTRAINT referral_rewards_one_thing
    CHECK (num_nonnulls(campaign_id, amount_minor, days, points) = 1 AND (kind = 'points') = (points IS NOT NULL));
