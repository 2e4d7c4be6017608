-- Coupons on occasions: for who signs up, on birthdays, after the n-th order.
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion'));

CREATE TABLE occasions (
    id uuid PRIMARY KEY,
    event text NOT NULL CHECK (event IN ('sign_up', 'birthday', 'nth_order')),
    nth integer CHECK (nth > 0),
    campaign_id uuid NOT NULL REFERENCES coupon_campaigns (id),
    -- so many in all; where that isn't limited it is there for its lock
    pool_id uuid NOT NULL CONSTRAINT occasions_pool UNIQUE REFERENCES pools (id),
    starts_at timestamptz NOT NULL,
    -- exclusive
    ends_at timestamptz,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK ((event = 'nth_order') = (nth IS NOT NULL)),
    CHECK (starts_at < ends_at)
);
CREATE INDEX occasions_campaign ON occasions (campaign_id);

-- Who was given one, for what: each cause once, and a person once a period (a year of birthdays, or ever).
CREATE TABLE occasion_grants (
    id uuid PRIMARY KEY,
    occasion_id uuid NOT NULL REFERENCES occasions (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    person_key text NOT NULL,
    cause text NOT NULL,
    period text NOT NULL,
    coupon_id uuid NOT NULL CONSTRAINT occasion_grants_coupon UNIQUE REFERENCES coupons (id),
    created_at timestamptz NOT NULL,
    CONSTRAINT occasion_grants_cause UNIQUE (occasion_id, cause),
    CONSTRAINT occasion_grants_person UNIQUE (occasion_id, person_key, period),
    CONSTRAINT occasion_grants_account UNIQUE (occasion_id, account_id, period)
);
CREATE INDEX occasion_grants_of_account ON occasion_grants (account_id);

CREATE INDEX accounts_birthday ON accounts (birthday) WHERE birthday IS NOT NULL;
