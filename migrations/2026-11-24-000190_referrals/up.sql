-- Invite codes, the referral programme, and referrals. A referral names who invited and who came, once a friend: no row
-- names the inviter's own inviter, and nothing is paid along a chain.
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion', 'prize',
                    'packet', 'chain_links', 'chain_budget',
                    'referral', 'referral_budget', 'referral_inviter', 'referral_day'));

-- An account's own code, made when it is first asked for.
CREATE TABLE invite_codes (
    code text PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT invite_codes_account UNIQUE REFERENCES accounts (id),
    created_at timestamptz NOT NULL
);

CREATE TABLE referral_programme (
    id integer PRIMARY KEY CHECK (id = 1),
    is_on boolean NOT NULL,
    starts_at timestamptz,
    -- exclusive
    ends_at timestamptz,
    -- a code that was given at sign-up counts for that long
    touch_days integer NOT NULL CHECK (touch_days > 0),
    -- what the friend's order must come to, without shipping
    minimum_minor bigint NOT NULL CHECK (minimum_minor >= 0),
    inviter_reward jsonb,
    friend_reward jsonb,
    per_inviter_day integer CHECK (per_inviter_day > 0),
    per_inviter integer CHECK (per_inviter > 0),
    -- referrals in all
    pool_id uuid NOT NULL CONSTRAINT referral_programme_pool UNIQUE REFERENCES pools (id),
    -- minor units of store credit
    budget_pool_id uuid NOT NULL CONSTRAINT referral_programme_budget_pool UNIQUE REFERENCES pools (id),
    version integer NOT NULL,
    CHECK (starts_at < ends_at)
);
INSERT INTO pools (id, kind, capacity) VALUES
    ('00000000-0000-8000-8000-000000000130', 'referral', 2305843009213693951),
    ('00000000-0000-8000-8000-000000000131', 'referral_budget', 2305843009213693951);
INSERT INTO referral_programme (id, is_on, touch_days, minimum_minor, pool_id, budget_pool_id, version)
    VALUES (1, false, 30, 0, '00000000-0000-8000-8000-000000000130', '00000000-0000-8000-8000-000000000131', 1);

-- What one inviter can be rewarded for: in all (without a day), and of each day on which somebody came.
CREATE TABLE referral_caps (
    pool_id uuid PRIMARY KEY REFERENCES pools (id),
    inviter_id uuid NOT NULL REFERENCES accounts (id),
    day date,
    CONSTRAINT referral_caps_once UNIQUE NULLS NOT DISTINCT (inviter_id, day)
);

CREATE TABLE referrals (
    id uuid PRIMARY KEY,
    inviter_id uuid NOT NULL REFERENCES accounts (id),
    friend_id uuid NOT NULL CONSTRAINT referrals_friend UNIQUE REFERENCES accounts (id),
    -- the friend's, as it was when he bought
    person_key text NOT NULL CONSTRAINT referrals_person UNIQUE,
    -- the friend's first paid order
    order_id uuid NOT NULL CONSTRAINT referrals_order UNIQUE REFERENCES orders (id),
    code text NOT NULL,
    -- the shop's, on which it counts for the caps
    day date NOT NULL,
    -- goods and terms, without shipping
    basis_minor bigint NOT NULL CHECK (basis_minor > 0),
    minimum_minor bigint NOT NULL CHECK (minimum_minor >= 0),
    -- store credit that is promised to both
    budget_minor bigint NOT NULL CHECK (budget_minor >= 0),
    state text NOT NULL CHECK (state IN ('pending', 'held', 'rewarded', 'refused', 'reversed')),
    reason text,
    -- what made it suspicious
    signals text[] NOT NULL,
    -- an operator has looked at the signals and lets it pass
    released_at timestamptz,
    -- of where the goods went; for comparing only
    address_hash text,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK (inviter_id <> friend_id),
    CHECK ((state IN ('pending', 'held')) = (ended_at IS NULL)),
    CHECK (state NOT IN ('refused', 'reversed') OR reason IS NOT NULL)
);
CREATE INDEX referrals_inviter ON referrals (inviter_id, id);
CREATE INDEX referrals_state ON referrals (state, id);
CREATE INDEX referrals_address ON referrals (address_hash) WHERE address_hash IS NOT NULL;

-- What each side was promised, and what became of it.
CREATE TABLE referral_rewards (
    referral_id uuid NOT NULL REFERENCES referrals (id),
    side text NOT NULL CHECK (side IN ('inviter', 'friend')),
    kind text NOT NULL CHECK (kind IN ('coupon', 'credit', 'membership_days')),
    campaign_id uuid REFERENCES coupon_campaigns (id),
    amount_minor bigint CHECK (amount_minor > 0),
    days integer CHECK (days > 0),
    state text NOT NULL CHECK (state IN ('promised', 'given', 'forfeited', 'taken_back', 'spent')),
    coupon_id uuid CONSTRAINT referral_rewards_coupon UNIQUE REFERENCES coupons (id),
    term_id uuid CONSTRAINT referral_rewards_term UNIQUE REFERENCES membership_terms (id),
    given_at timestamptz,
    PRIMARY KEY (referral_id, side),
    CHECK (num_nonnulls(campaign_id, amount_minor, days) = 1),
    CHECK ((kind = 'coupon') = (campaign_id IS NOT NULL)),
    CHECK ((kind = 'credit') = (amount_minor IS NOT NULL)),
    CHECK ((state IN ('promised', 'forfeited')) = (given_at IS NULL)),
    CHECK ((coupon_id IS NOT NULL) = (kind = 'coupon' AND given_at IS NOT NULL)),
    CHECK ((term_id IS NOT NULL) = (kind = 'membership_days' AND given_at IS NOT NULL))
);

-- Has this card paid for somebody else before?
CREATE INDEX payments_card ON payments (card_fingerprint) WHERE card_fingerprint IS NOT NULL;
