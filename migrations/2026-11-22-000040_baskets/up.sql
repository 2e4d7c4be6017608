-- What somebody means to buy: an account's, or a guest's, who shows its secret (only the hash is kept). lines: what was
-- put in, as an order asks for it, with the price and the refusal that stood then. It ends when it is ordered, or merged
-- into the basket of the account that the guest signed in to; until it is purged its lines can be read.
CREATE TABLE baskets (
    id uuid PRIMARY KEY,
    account_id uuid REFERENCES accounts (id),
    secret_hash bytea,
    lines jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(lines) = 'array'),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    touched_at timestamptz NOT NULL,
    ended_at timestamptz,
    order_id uuid UNIQUE REFERENCES orders (id),
    merged_into uuid REFERENCES baskets (id),
    CONSTRAINT baskets_owned CHECK ((account_id IS NULL) <> (secret_hash IS NULL)),
    CONSTRAINT baskets_end_once
        CHECK ((ended_at IS NULL AND num_nonnulls(order_id, merged_into) = 0)
            OR (ended_at IS NOT NULL AND num_nonnulls(order_id, merged_into) = 1))
);
-- An account has one basket that is open.
CREATE UNIQUE INDEX baskets_open ON baskets (account_id) WHERE ended_at IS NULL;
CREATE INDEX baskets_account ON baskets (account_id);
CREATE INDEX baskets_merged ON baskets (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX baskets_touched ON baskets (touched_at);
