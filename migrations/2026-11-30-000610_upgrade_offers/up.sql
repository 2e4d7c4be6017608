-- Upgrade offers: another price of a plan for members of a lower tier, for whoever reaches their criteria, once a person. What
-- they limit are pools: uses, and minor units that the uses take off together.
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion', 'prize',
                    'packet', 'chain_links', 'chain_budget',
                    'referral', 'referral_budget', 'referral_inviter', 'referral_day', 'partner_code',
                    'upgrade_offer', 'upgrade_budget'));

CREATE TABLE upgrade_offers (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT upgrade_offers_code UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    -- null: of any lower tier
    from_tier_id uuid REFERENCES tiers (id),
    plan_id uuid NOT NULL REFERENCES plans (id),
    -- stands where the plan's price stood
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    criteria jsonb NOT NULL,
    -- its row is also the lock under which uses of a person are counted
    pool_id uuid NOT NULL CONSTRAINT upgrade_offers_pool UNIQUE REFERENCES pools (id),
    budget_pool_id uuid NOT NULL CONSTRAINT upgrade_offers_budget_pool UNIQUE REFERENCES pools (id),
    starts_at timestamptz NOT NULL,
    -- exclusive
    ends_at timestamptz NOT NULL,
    -- who becomes entitled is told by mail
    mails boolean NOT NULL,
    -- accounts up to here have been looked at in this round of mails; null: no round is under way
    walked_to uuid,
    -- the last round was over then
    walked_at timestamptz,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (starts_at < ends_at)
);
CREATE INDEX upgrade_offers_open ON upgrade_offers (plan_id) WHERE archived_at IS NULL;

-- One a line that was ordered by an offer. It ends with its claims.
CREATE TABLE upgrade_offer_uses (
    id uuid PRIMARY KEY,
    offer_id uuid NOT NULL REFERENCES upgrade_offers (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    person_key text NOT NULL,
    order_id uuid NOT NULL REFERENCES orders (id),
    line_id uuid NOT NULL CONSTRAINT upgrade_offer_uses_line UNIQUE REFERENCES order_lines (id),
    discount_minor bigint NOT NULL CHECK (discount_minor > 0),
    created_at timestamptz NOT NULL,
    released_at timestamptz
);
CREATE UNIQUE INDEX upgrade_offer_uses_person ON upgrade_offer_uses (offer_id, person_key) WHERE released_at IS NULL;
CREATE UNIQUE INDEX upgrade_offer_uses_account ON upgrade_offer_uses (offer_id, account_id) WHERE released_at IS NULL;
CREATE INDEX upgrade_offer_uses_order ON upgrade_offer_uses (order_id);
CREATE INDEX upgrade_offer_uses_of ON upgrade_offer_uses (account_id, id);

-- Who was told of an offer by mail.
CREATE TABLE upgrade_offer_tellings (
    offer_id uuid NOT NULL REFERENCES upgrade_offers (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    told_at timestamptz NOT NULL,
    PRIMARY KEY (offer_id, account_id)
);
CREATE INDEX upgrade_offer_tellings_account ON upgrade_offer_tellings (account_id);

-- By how much less is due than without the offer.
ALTER TABLE upgrade_quotes ADD COLUMN offer_id uuid REFERENCES upgrade_offers (id),
    ADD COLUMN discount_minor bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT upgrade_quotes_discount CHECK (discount_minor >= 0 AND (offer_id IS NULL) = (discount_minor = 0));
CREATE INDEX upgrade_quotes_offer ON upgrade_quotes (offer_id) WHERE offer_id IS NOT NULL;
