DROP INDEX upgrade_quotes_offer;
ALTER TABLE upgrade_quotes DROP CONSTRAINT upgrade_quotes_discount, DROP COLUMN discount_minor, DROP COLUMN offer_id;
DROP TABLE upgrade_offer_tellings, upgrade_offer_uses, upgrade_offers;
DELETE FROM claims WHERE pool_id IN (SELECT id FROM pools WHERE kind IN ('upgrade_offer', 'upgrade_budget'));
DELETE FROM pools WHERE kind IN ('upgrade_offer', 'upgrade_budget');
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion', 'prize',
                    'packet', 'chain_links', 'chain_budget',
                    'referral', 'referral_budget', 'referral_inviter', 'referral_day', 'partner_code'));
