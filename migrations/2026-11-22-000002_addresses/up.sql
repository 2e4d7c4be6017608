-- Where an account has parcels sent. An order keeps a copy of its own (orders.ship_to), so that these can change and go.
CREATE TABLE addresses (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    -- as orders.ship_to: name, phone, country, city, line1 and more
    address jsonb NOT NULL CHECK (jsonb_typeof(address) = 'object'),
    is_default boolean NOT NULL,
    created_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1
);
CREATE INDEX addresses_account ON addresses (account_id, id);
CREATE UNIQUE INDEX addresses_default ON addresses (account_id) WHERE is_default;
