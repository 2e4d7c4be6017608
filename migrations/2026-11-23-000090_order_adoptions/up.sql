-- Which account took over what was bought as a guest, once it had proved the address. The order and what hangs on it are the
-- account's from then on; the guest's account stays as a bare name, under which the keys of its requests lie.
CREATE TABLE order_adoptions (
    order_id uuid PRIMARY KEY REFERENCES orders (id),
    guest_id uuid NOT NULL UNIQUE REFERENCES accounts (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    adopted_at timestamptz NOT NULL,
    CONSTRAINT order_adoptions_two CHECK (guest_id <> account_id)
);
CREATE INDEX order_adoptions_account ON order_adoptions (account_id);
