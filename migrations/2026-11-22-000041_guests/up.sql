-- Who bought without signing up: an account for the sake of what hangs on one (orders, claims, caps, mails), which nobody can
-- sign in to. Its address is not proved and may be that of others; its id is that of the basket that was ordered.
ALTER TABLE accounts ADD COLUMN is_guest boolean NOT NULL DEFAULT false;
ALTER TABLE accounts ADD CONSTRAINT accounts_guests CHECK (NOT is_guest OR (email_key IS NULL AND password_hash IS NULL
    AND roles = '{}' AND email_verified_at IS NULL AND stripe_customer_id IS NULL));

-- What a guest shows to see the order; only the hash is kept.
CREATE TABLE order_tokens (
    order_id uuid PRIMARY KEY REFERENCES orders (id),
    hash bytea NOT NULL UNIQUE
);
