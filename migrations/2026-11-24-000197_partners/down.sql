DROP TABLE partner_payout_entries, partner_payouts, commissions, partner_orders, partner_codes, partners;
DELETE FROM invite_codes WHERE account_id IS NULL;
ALTER TABLE invite_codes ALTER COLUMN account_id SET NOT NULL;
DELETE FROM pools WHERE kind = 'partner_code';
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion', 'prize',
                    'packet', 'chain_links', 'chain_budget',
                    'referral', 'referral_budget', 'referral_inviter', 'referral_day'));
