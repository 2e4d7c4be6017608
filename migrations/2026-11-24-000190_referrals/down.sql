DROP INDEX payments_card;
DROP TABLE referral_rewards, referrals, referral_caps, referral_programme, invite_codes;
DELETE FROM pools WHERE kind IN ('referral', 'referral_budget', 'referral_inviter', 'referral_day');
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion', 'prize',
                    'packet', 'chain_links', 'chain_budget'));
