-- Coupon campaigns: the rule. Its limits are pools: uses, uses of a day of the shop, minor units of discount.
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget'));

CREATE TABLE coupon_campaigns (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT coupon_campaigns_code UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    class text NOT NULL CHECK (class IN ('product', 'order', 'shipping', 'gift_item', 'membership')),
    -- what it gives, on what, and to whom: promotion/campaigns/rules.rs
    benefit jsonb NOT NULL,
    scope jsonb NOT NULL,
    conditions jsonb NOT NULL,
    -- classes of coupons that may stand beside it in one order, if they agree
    combines_with text[] NOT NULL,
    priority integer NOT NULL,
    -- it needs no code
    automatic boolean NOT NULL,
    -- uses of one person; of one order
    per_person integer CHECK (per_person > 0),
    per_order integer NOT NULL CHECK (per_order > 0),
    per_day integer CHECK (per_day > 0),
    -- its row is also the lock under which uses of a person are counted; its capacity is the limit of uses
    pool_id uuid CONSTRAINT coupon_campaigns_pool UNIQUE REFERENCES pools (id),
    budget_pool_id uuid CONSTRAINT coupon_campaigns_budget_pool UNIQUE REFERENCES pools (id),
    starts_at timestamptz,
    -- exclusive
    ends_at timestamptz,
    -- a code that is given to somebody ends so many days later
    valid_days integer CHECK (valid_days > 0),
    created_at timestamptz NOT NULL,
    paused_at timestamptz,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (starts_at IS NULL OR ends_at IS NULL OR starts_at < ends_at),
    CHECK (automatic OR pool_id IS NOT NULL)
);
CREATE INDEX coupon_campaigns_automatic ON coupon_campaigns (id) WHERE automatic AND archived_at IS NULL;

-- Uses of a campaign on one day of the shop, where that is limited.
CREATE TABLE coupon_days (
    campaign_id uuid NOT NULL REFERENCES coupon_campaigns (id),
    day date NOT NULL,
    pool_id uuid NOT NULL CONSTRAINT coupon_days_pool UNIQUE REFERENCES pools (id),
    PRIMARY KEY (campaign_id, day)
);

-- Codes. A shared one may be used as often as its campaign allows; any other is used once.
CREATE TABLE coupons (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES coupon_campaigns (id),
    -- as it is compared, and, of a shared one, as it was written
    code text NOT NULL CONSTRAINT coupons_code UNIQUE,
    label text,
    is_shared boolean NOT NULL,
    -- whose it is; none: whoever has the code
    account_id uuid REFERENCES accounts (id),
    -- the job that made it
    issue_id uuid,
    -- exclusive
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX coupons_campaign ON coupons (campaign_id, id);
CREATE INDEX coupons_issue ON coupons (issue_id, id) WHERE issue_id IS NOT NULL;
CREATE INDEX coupons_live ON coupons (campaign_id) WHERE revoked_at IS NULL;
CREATE INDEX coupons_by_hand ON coupons (campaign_id, created_at) WHERE issue_id IS NULL;
CREATE INDEX coupons_account ON coupons (account_id, id) WHERE account_id IS NOT NULL;

-- Many codes made at once, by a job that goes on where it stopped.
CREATE TABLE coupon_issues (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES coupon_campaigns (id),
    quantity bigint NOT NULL CHECK (quantity > 0),
    made bigint NOT NULL DEFAULT 0 CHECK (made BETWEEN 0 AND quantity),
    prefix text NOT NULL,
    length integer NOT NULL,
    expires_at timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX coupon_issues_campaign ON coupon_issues (campaign_id, id);

-- One use of a campaign by one order, with or without a code.
CREATE TABLE coupon_uses (
    id uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES coupon_campaigns (id),
    coupon_id uuid REFERENCES coupons (id),
    -- of the coupon: no other order may use it as long as this use stands
    is_single boolean NOT NULL,
    order_id uuid NOT NULL REFERENCES orders (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    person_key text NOT NULL,
    -- of the shop
    day date NOT NULL,
    -- off the lines, and off the shipping
    discount_minor bigint NOT NULL CHECK (discount_minor >= 0),
    shipping_minor bigint NOT NULL CHECK (shipping_minor >= 0),
    created_at timestamptz NOT NULL,
    released_at timestamptz
);
CREATE INDEX coupon_uses_order ON coupon_uses (order_id);
CREATE INDEX coupon_uses_person ON coupon_uses (campaign_id, person_key) WHERE released_at IS NULL;
CREATE INDEX coupon_uses_account ON coupon_uses (campaign_id, account_id) WHERE released_at IS NULL;
CREATE INDEX coupon_uses_day ON coupon_uses (campaign_id, day);
CREATE UNIQUE INDEX coupon_uses_once ON coupon_uses (coupon_id) WHERE is_single AND released_at IS NULL;

-- What a use took off a line.
CREATE TABLE line_coupons (
    line_id uuid NOT NULL REFERENCES order_lines (id),
    use_id uuid NOT NULL REFERENCES coupon_uses (id),
    discount_minor bigint NOT NULL CHECK (discount_minor > 0),
    PRIMARY KEY (line_id, use_id)
);
CREATE INDEX line_coupons_use ON line_coupons (use_id);

-- What an order claims as a whole, such as a coupon's use, is no line's.
ALTER TABLE claims ALTER COLUMN line_id DROP NOT NULL;
CREATE UNIQUE INDEX claims_of_order_once ON claims (order_id, pool_id)
    WHERE line_id IS NULL AND state IN ('held', 'taken');

-- For coupons in the month of it: month and day, `06-17`.
ALTER TABLE accounts ADD COLUMN birthday text CHECK (birthday ~ '^[01][0-9]-[0-3][0-9]$');
