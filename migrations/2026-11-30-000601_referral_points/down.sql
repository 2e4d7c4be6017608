DELETE FROM referral_rewards WHERE kind = 'points';
ALTER TABLE referral_rewards DROP CONSTRAINT referral_rewards_one_thing;
ALTER TABLE referral_rewards ADD CONSTRAINT referral_rewards_check CHECK (num_nonnulls(campaign_id, amount_minor, days) = 1);
ALTER TABLE referral_rewards DROP CONSTRAINT referral_rewards_kind_check;
ALTER TABLE referral_rewards ADD CONSTRAINT referral_rewards_kind_check
    CHECK (kind IN ('coupon', 'credit', 'membership_days'));
ALTER TABLE referral_rewards DROP COLUMN points;
