-- Partners, their codes, and the commissions that these earn. Entries of commissions are only ever added: a refund adds one
-- that takes back, a payout names those that it pays.
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion', 'prize',
                    'packet', 'chain_links', 'chain_budget',
                    'referral', 'referral_budget', 'referral_inviter', 'referral_day', 'partner_code'));

-- Without an account: a partner's. All codes that are typed as `invite_code` share one namespace.
ALTER TABLE invite_codes ALTER COLUMN account_id DROP NOT NULL;

CREATE TABLE partners (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    -- his own in this shop, where he has one
    account_id uuid REFERENCES accounts (id),
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    archived_at timestamptz
);
CREATE INDEX partners_account ON partners (account_id) WHERE account_id IS NOT NULL;

CREATE TABLE partner_codes (
    id uuid PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partners (id),
    -- as it is compared
    code text NOT NULL CONSTRAINT partner_codes_code UNIQUE REFERENCES invite_codes (code),
    -- as it was written
    label text NOT NULL,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    -- hundredths of a percent
    rate_bp integer NOT NULL CHECK (rate_bp BETWEEN 1 AND 10000),
    starts_at timestamptz,
    -- exclusive
    ends_at timestamptz,
    -- orders
    pool_id uuid NOT NULL CONSTRAINT partner_codes_pool UNIQUE REFERENCES pools (id),
    created_at timestamptz NOT NULL,
    -- an operator ended it
    ended_at timestamptz,
    CHECK (starts_at < ends_at)
);
CREATE INDEX partner_codes_partner ON partner_codes (partner_id, id);

-- An order that came by a partner's code.
CREATE TABLE partner_orders (
    order_id uuid PRIMARY KEY REFERENCES orders (id),
    code_id uuid NOT NULL REFERENCES partner_codes (id),
    created_at timestamptz NOT NULL,
    -- its entries can be paid out; null: they are held, for it may yet go back
    payable_since timestamptz
);
CREATE INDEX partner_orders_code ON partner_orders (code_id);

CREATE TABLE commissions (
    id uuid PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partners (id),
    order_id uuid NOT NULL REFERENCES partner_orders (order_id),
    -- of the order's: 0 is what was earned, the others correct it
    number integer NOT NULL CHECK (number >= 0),
    kind text NOT NULL CHECK (kind IN ('earned', 'reversed', 'restored')),
    reason text CHECK (reason IN ('refund', 'dispute_lost', 'own_order', 'corrected')),
    -- earned: what goods and terms came to; else what of it had gone back by then
    basis_minor bigint NOT NULL CHECK (basis_minor >= 0),
    rate_bp integer NOT NULL CHECK (rate_bp BETWEEN 1 AND 10000),
    amount_minor bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT commissions_number UNIQUE (order_id, number),
    CHECK ((kind = 'earned') = (number = 0)),
    CHECK ((kind = 'earned') = (reason IS NULL)),
    CHECK (CASE kind WHEN 'earned' THEN amount_minor >= 0 WHEN 'reversed' THEN amount_minor < 0 ELSE amount_minor > 0 END)
);
CREATE INDEX commissions_partner ON commissions (partner_id, id);

CREATE TABLE partner_payouts (
    id uuid PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partners (id),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    entries integer NOT NULL CHECK (entries > 0),
    created_at timestamptz NOT NULL
);
CREATE INDEX partner_payouts_partner ON partner_payouts (partner_id, id);

CREATE TABLE partner_payout_entries (
    -- an entry is paid once
    entry_id uuid PRIMARY KEY REFERENCES commissions (id),
    payout_id uuid NOT NULL REFERENCES partner_payouts (id)
);
CREATE INDEX partner_payout_entries_payout ON partner_payout_entries (payout_id);
