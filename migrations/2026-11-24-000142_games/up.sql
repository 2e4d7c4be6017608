-- Games: a claim is a weighted chance of a prize. Give-outs and games are claimed under codes of one namespace.
CREATE TABLE claim_codes (
    code text PRIMARY KEY,
    kind text NOT NULL CONSTRAINT claim_codes_kind_check CHECK (kind IN ('give_out', 'game'))
);
INSERT INTO claim_codes (code, kind) SELECT code, 'give_out' FROM give_outs;
ALTER TABLE give_outs ADD CONSTRAINT give_outs_claim_code FOREIGN KEY (code) REFERENCES claim_codes (code);

ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel',
                    'coupon', 'coupon_day', 'coupon_budget', 'give_out', 'occasion', 'prize'));

CREATE TABLE games (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT games_code UNIQUE REFERENCES claim_codes (code),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    audience jsonb NOT NULL,
    starts_at timestamptz NOT NULL,
    -- exclusive
    ends_at timestamptz NOT NULL,
    -- of one person
    plays_a_day integer NOT NULL CHECK (plays_a_day > 0),
    plays_in_all integer NOT NULL CHECK (plays_in_all > 0),
    -- what is won where the prize that was drawn is out of stock
    when_out text NOT NULL CHECK (when_out IN ('nothing', 'next')),
    -- secret until the game is over; its SHA-256 is published from the start
    seed bytea NOT NULL CHECK (length(seed) = 32),
    -- the number of the last play: plays are numbered under the lock of this row
    plays bigint NOT NULL DEFAULT 0 CHECK (plays >= 0),
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK (starts_at < ends_at)
);

CREATE TABLE game_prizes (
    id uuid PRIMARY KEY,
    game_id uuid NOT NULL REFERENCES games (id),
    position integer NOT NULL CHECK (position >= 0),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('coupon', 'credit', 'nothing')),
    campaign_id uuid REFERENCES coupon_campaigns (id),
    amount_minor bigint CHECK (amount_minor > 0),
    weight bigint NOT NULL CHECK (weight > 0),
    -- its stock
    pool_id uuid CONSTRAINT game_prizes_pool UNIQUE REFERENCES pools (id),
    CONSTRAINT game_prizes_position UNIQUE (game_id, position),
    CHECK ((kind = 'coupon') = (campaign_id IS NOT NULL)),
    CHECK ((kind = 'credit') = (amount_minor IS NOT NULL)),
    CHECK ((kind = 'nothing') = (pool_id IS NULL))
);
CREATE INDEX game_prizes_campaign ON game_prizes (campaign_id) WHERE campaign_id IS NOT NULL;

CREATE TABLE game_plays (
    id uuid PRIMARY KEY,
    game_id uuid NOT NULL REFERENCES games (id),
    number bigint NOT NULL CHECK (number > 0),
    account_id uuid NOT NULL REFERENCES accounts (id),
    person_key text NOT NULL,
    -- of the shop
    day date NOT NULL,
    nth_of_day integer NOT NULL CHECK (nth_of_day > 0),
    nth integer NOT NULL CHECK (nth > 0),
    drawn_id uuid NOT NULL REFERENCES game_prizes (id),
    -- what was given: another one than was drawn, or none, where that was out of stock
    prize_id uuid REFERENCES game_prizes (id),
    coupon_id uuid CONSTRAINT game_plays_coupon UNIQUE REFERENCES coupons (id),
    created_at timestamptz NOT NULL,
    CONSTRAINT game_plays_number UNIQUE (game_id, number),
    CONSTRAINT game_plays_nth UNIQUE (game_id, person_key, nth),
    CONSTRAINT game_plays_of_day UNIQUE (game_id, person_key, day, nth_of_day)
);
CREATE INDEX game_plays_of_account ON game_plays (account_id, game_id);
CREATE INDEX game_plays_prize ON game_plays (prize_id) WHERE prize_id IS NOT NULL;
