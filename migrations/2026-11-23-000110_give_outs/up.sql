-- Public give-outs of coupons: so many a round, a round at the start or every so many minutes from then on.
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out'));

CREATE TABLE give_outs (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT give_outs_code UNIQUE,
    campaign_id uuid NOT NULL REFERENCES coupon_campaigns (id),
    audience jsonb NOT NULL,
    starts_at timestamptz NOT NULL,
    -- exclusive
    ends_at timestamptz NOT NULL,
    -- absent: one round from the start to the end
    every_minutes integer CHECK (every_minutes > 0),
    per_round bigint NOT NULL CHECK (per_round > 0),
    -- of one person, over all rounds; one in a round
    per_person integer NOT NULL CHECK (per_person > 0),
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK (starts_at < ends_at)
);
CREATE INDEX give_outs_campaign ON give_outs (campaign_id);

CREATE TABLE give_out_rounds (
    give_out_id uuid NOT NULL REFERENCES give_outs (id),
    starts_at timestamptz NOT NULL,
    pool_id uuid NOT NULL CONSTRAINT give_out_rounds_pool UNIQUE REFERENCES pools (id),
    PRIMARY KEY (give_out_id, starts_at)
);

-- Who took one: one a person a round, and the n-th of a person once.
CREATE TABLE give_out_claims (
    id uuid PRIMARY KEY,
    give_out_id uuid NOT NULL REFERENCES give_outs (id),
    round_at timestamptz NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts (id),
    person_key text NOT NULL,
    nth integer NOT NULL CHECK (nth > 0),
    coupon_id uuid NOT NULL CONSTRAINT give_out_claims_coupon UNIQUE REFERENCES coupons (id),
    created_at timestamptz NOT NULL,
    CONSTRAINT give_out_claims_round UNIQUE (give_out_id, round_at, person_key),
    CONSTRAINT give_out_claims_nth UNIQUE (give_out_id, person_key, nth),
    CONSTRAINT give_out_claims_account UNIQUE (give_out_id, round_at, account_id)
);
CREATE INDEX give_out_claims_of_account ON give_out_claims (account_id, give_out_id);
