-- Two operators who change one variant: the second has to read it again.
ALTER TABLE variants ADD COLUMN version integer NOT NULL DEFAULT 1;

-- What a variant's own price has been, since when; append-only. A "before" price is computed from it and from the public
-- sales of `prices`, whose rows are archived and never edited.
CREATE TABLE list_prices (
    id uuid PRIMARY KEY,
    variant_id uuid NOT NULL REFERENCES variants (id),
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    from_at timestamptz NOT NULL
);
CREATE INDEX list_prices_variant ON list_prices (variant_id, from_at, id);
INSERT INTO list_prices (id, variant_id, price_minor, from_at)
    SELECT gen_random_uuid(), id, price_minor, created_at FROM variants;

-- A teaser: shown before it can be bought, without its price where hides_price says so.
ALTER TABLE products ADD COLUMN available_from timestamptz;
ALTER TABLE products ADD COLUMN hides_price boolean NOT NULL DEFAULT false;

-- What else whoever looks at a product may like, as its operators see it.
CREATE TABLE related_products (
    product_id uuid NOT NULL REFERENCES products (id),
    related_id uuid NOT NULL REFERENCES products (id),
    position integer NOT NULL,
    PRIMARY KEY (product_id, related_id),
    CHECK (product_id <> related_id)
);
CREATE INDEX related_products_related ON related_products (related_id);

-- "Mail me at the start": a row until the mail is queued, then none.
CREATE TABLE product_reminders (
    id uuid PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES products (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    created_at timestamptz NOT NULL,
    CONSTRAINT product_reminders_once UNIQUE (product_id, account_id)
);
CREATE INDEX product_reminders_account ON product_reminders (account_id);
