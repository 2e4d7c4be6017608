-- Treats: what merchants give. Partner coupons are codes of the merchant's own, good in its shop alone; vouchers are taken at
-- its counters, once each, and settled.
CREATE TABLE merchants (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT merchants_code UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE treats (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT treats_code UNIQUE,
    merchant_id uuid NOT NULL REFERENCES merchants (id),
    kind text NOT NULL CHECK (kind IN ('partner_coupon', 'voucher')),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    terms_zh text NOT NULL,
    terms_en text NOT NULL,
    -- what a voucher is worth
    face_minor bigint CHECK (face_minor > 0),
    -- a voucher ends so many days after it was claimed
    valid_days integer CHECK (valid_days > 0),
    -- exclusive
    ends_at timestamptz,
    created_at timestamptz NOT NULL,
    CHECK ((kind = 'voucher') = (face_minor IS NOT NULL)),
    CHECK (kind = 'voucher' OR valid_days IS NULL)
);
CREATE INDEX treats_merchant ON treats (merchant_id);

ALTER TABLE api_keys DROP CONSTRAINT api_keys_roles_check;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_roles_check
    CHECK (roles <> '{}' AND (roles <@ ARRAY['owner', 'manager', 'support', 'analyst'] OR roles = ARRAY['counter']));
-- a counter's: whose it is and where it stands
ALTER TABLE api_keys ADD COLUMN merchant_id uuid REFERENCES merchants (id);
ALTER TABLE api_keys ADD COLUMN outlet text;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_counter
    CHECK ((roles = ARRAY['counter']) = (merchant_id IS NOT NULL) AND (merchant_id IS NULL) = (outlet IS NULL));

CREATE TABLE treat_codes (
    id uuid PRIMARY KEY,
    treat_id uuid NOT NULL REFERENCES treats (id),
    merchant_id uuid NOT NULL REFERENCES merchants (id),
    -- as it is shown
    code text NOT NULL,
    -- whose it is: a merchant's own codes are there before anybody's
    account_id uuid REFERENCES accounts (id),
    person_key text,
    claimed_at timestamptz,
    -- by the time of the claim, so that a wallet has the newest first
    wallet_id uuid CONSTRAINT treat_codes_wallet UNIQUE,
    -- exclusive
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    redeemed_at timestamptz,
    outlet text,
    redeemed_by uuid REFERENCES api_keys (id),
    CONSTRAINT treat_codes_code UNIQUE (merchant_id, code),
    CHECK (num_nonnulls(account_id, person_key, claimed_at, wallet_id) IN (0, 4)),
    CHECK (num_nonnulls(redeemed_at, outlet, redeemed_by) IN (0, 3)),
    CHECK (redeemed_at IS NULL OR account_id IS NOT NULL)
);
CREATE INDEX treat_codes_free ON treat_codes (treat_id, id) WHERE account_id IS NULL;
CREATE INDEX treat_codes_of_treat ON treat_codes (treat_id) WHERE account_id IS NOT NULL;
CREATE INDEX treat_codes_of_account ON treat_codes (account_id, wallet_id) WHERE account_id IS NOT NULL;
CREATE INDEX treat_codes_redeemed ON treat_codes (redeemed_at) WHERE redeemed_at IS NOT NULL;

-- Give-outs of treats.
ALTER TABLE give_outs ALTER COLUMN campaign_id DROP NOT NULL;
ALTER TABLE give_outs ADD COLUMN treat_id uuid REFERENCES treats (id);
ALTER TABLE give_outs ADD CONSTRAINT give_outs_of_one CHECK (num_nonnulls(campaign_id, treat_id) = 1);
CREATE INDEX give_outs_treat ON give_outs (treat_id) WHERE treat_id IS NOT NULL;
ALTER TABLE give_out_claims ALTER COLUMN coupon_id DROP NOT NULL;
ALTER TABLE give_out_claims ADD COLUMN treat_code_id uuid
    CONSTRAINT give_out_claims_treat UNIQUE REFERENCES treat_codes (id);
ALTER TABLE give_out_claims ADD CONSTRAINT give_out_claims_of_one CHECK (num_nonnulls(coupon_id, treat_code_id) = 1);
