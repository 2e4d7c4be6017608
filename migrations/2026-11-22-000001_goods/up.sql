-- Every bounded quantity that a sale of goods can claim: stock; the limit of a bundle; what a drop lets out, in all and to
-- an audience; the one unit of an F-code.
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code'));

-- What is sold besides plans. Goods and digital goods come in variants; a bundle has one, whose parts come from their own
-- stock. sees and buys: who is shown it, who may buy it (shop/audience.rs).
CREATE TABLE products (
    id uuid PRIMARY KEY,
    slug text NOT NULL CONSTRAINT products_slug UNIQUE,
    kind text NOT NULL CHECK (kind IN ('goods', 'digital', 'bundle')),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    about_zh text NOT NULL DEFAULT '',
    about_en text NOT NULL DEFAULT '',
    images text[] NOT NULL DEFAULT '{}',
    category text,
    tags text[] NOT NULL DEFAULT '{}',
    -- tax that prices include, in hundredths of a percent
    tax_rate_bp integer NOT NULL DEFAULT 0 CHECK (tax_rate_bp BETWEEN 0 AND 10000),
    sees jsonb NOT NULL,
    buys jsonb NOT NULL,
    payment_methods text[] NOT NULL CHECK (payment_methods <@ ARRAY['card', 'wechat_pay', 'alipay']
        AND cardinality(payment_methods) > 0),
    hold_minutes integer NOT NULL DEFAULT 15 CHECK (hold_minutes BETWEEN 1 AND 1380),
    -- a digital good's right ends so many days after it was bought; null: never
    right_days integer CHECK (right_days > 0),
    shown_from timestamptz,
    shown_until timestamptz,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (shown_from IS NULL OR shown_until IS NULL OR shown_from < shown_until),
    CHECK (right_days IS NULL OR kind = 'digital')
);
CREATE INDEX products_shown ON products (id) WHERE archived_at IS NULL;

-- What a line sells. Its pool is its stock (goods), its own limit (bundles, digital goods); null: as many as are wanted.
CREATE TABLE variants (
    id uuid PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES products (id),
    sku text NOT NULL CONSTRAINT variants_sku UNIQUE,
    position integer NOT NULL,
    options jsonb NOT NULL DEFAULT '{}',
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    currency text NOT NULL,
    weight_grams integer NOT NULL DEFAULT 0 CHECK (weight_grams >= 0),
    pool_id uuid UNIQUE REFERENCES pools (id),
    -- false: sold in drops alone
    open_sale boolean NOT NULL DEFAULT true,
    max_per_order integer NOT NULL DEFAULT 100 CHECK (max_per_order BETWEEN 1 AND 10000),
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    UNIQUE (product_id, position)
);

CREATE TABLE bundle_parts (
    bundle_id uuid NOT NULL REFERENCES variants (id),
    part_id uuid NOT NULL REFERENCES variants (id),
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (bundle_id, part_id),
    CHECK (bundle_id <> part_id)
);
CREATE INDEX bundle_parts_part ON bundle_parts (part_id);

-- Other prices than a variant's own, for who or what or when; the lowest that is lawful for the caller counts.
CREATE TABLE prices (
    id uuid PRIMARY KEY,
    variant_id uuid NOT NULL REFERENCES variants (id),
    buyers jsonb NOT NULL,
    quantity_from integer NOT NULL DEFAULT 1 CHECK (quantity_from >= 1),
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    starts_at timestamptz,
    ends_at timestamptz,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    CHECK (starts_at IS NULL OR ends_at IS NULL OR starts_at < ends_at)
);
CREATE INDEX prices_variant ON prices (variant_id) WHERE archived_at IS NULL;

-- The ledger of stock: a variant's pool has the capacity that its moves add up to. What is sold is claimed, not moved.
CREATE TABLE stock_moves (
    id uuid PRIMARY KEY,
    variant_id uuid NOT NULL REFERENCES variants (id),
    quantity bigint NOT NULL CHECK (quantity <> 0),
    reason text NOT NULL CHECK (reason IN
        ('received', 'corrected', 'damaged', 'written_off', 'set_aside', 'returned_to_sale')),
    note text,
    -- who or what caused it, once
    cause text NOT NULL CONSTRAINT stock_moves_cause UNIQUE,
    moved_by text NOT NULL,
    moved_at timestamptz NOT NULL
);
CREATE INDEX stock_moves_variant ON stock_moves (variant_id, id);

-- A limited sale: variants in a window, for audiences that may start at different times, with a cap a person.
CREATE TABLE drops (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT drops_code UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    opens_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    cap_per_person integer CHECK (cap_per_person > 0),
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (opens_at < closes_at)
);

-- What a drop sells, and how many of it in all.
CREATE TABLE drop_items (
    drop_id uuid NOT NULL REFERENCES drops (id),
    variant_id uuid NOT NULL REFERENCES variants (id),
    pool_id uuid NOT NULL UNIQUE REFERENCES pools (id),
    PRIMARY KEY (drop_id, variant_id)
);
CREATE INDEX drop_items_variant ON drop_items (variant_id);

-- Who may buy in a drop, from when, and how many units of it that audience may take together; null: as many as there are.
CREATE TABLE drop_audiences (
    id uuid PRIMARY KEY,
    drop_id uuid NOT NULL REFERENCES drops (id),
    buyers jsonb NOT NULL,
    opens_at timestamptz NOT NULL,
    pool_id uuid UNIQUE REFERENCES pools (id)
);
CREATE INDEX drop_audiences_drop ON drop_audiences (drop_id);

-- A code that guarantees one unit until a date: the unit was moved out of the drop's pool and out of stock when it was made.
CREATE TABLE f_codes (
    id uuid PRIMARY KEY,
    drop_id uuid NOT NULL REFERENCES drops (id),
    variant_id uuid NOT NULL REFERENCES variants (id),
    code text NOT NULL CONSTRAINT f_codes_code UNIQUE,
    pool_id uuid NOT NULL UNIQUE REFERENCES pools (id),
    -- bound to a person; null: whoever has it
    email_key text,
    expires_at timestamptz NOT NULL,
    -- its unit went back on sale
    ended_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX f_codes_drop ON f_codes (drop_id, id);
CREATE INDEX f_codes_expiry ON f_codes (expires_at) WHERE ended_at IS NULL;

ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check CHECK (kind IN ('plan', 'variant', 'bundle'));
ALTER TABLE order_lines ADD COLUMN variant_id uuid REFERENCES variants (id);
ALTER TABLE order_lines ADD COLUMN drop_id uuid REFERENCES drops (id);
ALTER TABLE order_lines ADD COLUMN f_code_id uuid REFERENCES f_codes (id);
ALTER TABLE order_lines ADD COLUMN tax_included_minor bigint NOT NULL DEFAULT 0 CHECK (tax_included_minor >= 0);
-- units handed over so far
ALTER TABLE order_lines ADD COLUMN shipped bigint NOT NULL DEFAULT 0 CHECK (shipped BETWEEN 0 AND quantity);
ALTER TABLE order_lines ADD CONSTRAINT order_lines_sells CHECK ((plan_id IS NULL) <> (variant_id IS NULL));
CREATE INDEX order_lines_variant ON order_lines (variant_id) WHERE variant_id IS NOT NULL;

ALTER TABLE orders ADD COLUMN ship_to jsonb;
ALTER TABLE orders ADD COLUMN shipping_method_id uuid;

-- What a person has of a drop, for its cap: by account and by normalised address.
CREATE TABLE drop_purchases (
    line_id uuid PRIMARY KEY REFERENCES order_lines (id),
    drop_id uuid NOT NULL REFERENCES drops (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    person_key text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    released_at timestamptz
);
CREATE INDEX drop_purchases_person ON drop_purchases (drop_id, person_key) WHERE released_at IS NULL;
CREATE INDEX drop_purchases_account ON drop_purchases (drop_id, account_id) WHERE released_at IS NULL;

CREATE TABLE shipping_methods (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT shipping_methods_code UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    -- ISO 3166-1 alpha-2
    countries text[] NOT NULL CHECK (cardinality(countries) > 0),
    fee_minor bigint NOT NULL CHECK (fee_minor >= 0),
    -- for each begun kilogram after the first
    fee_per_kg_minor bigint NOT NULL DEFAULT 0 CHECK (fee_per_kg_minor >= 0),
    free_from_minor bigint CHECK (free_from_minor >= 0),
    -- free for these buyers; null: for nobody
    free_for jsonb,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1
);
ALTER TABLE orders ADD CONSTRAINT orders_shipping_method
    FOREIGN KEY (shipping_method_id) REFERENCES shipping_methods (id);

-- What of a refund is shipping; the rest is its lines'.
ALTER TABLE refunds ADD COLUMN shipping_minor bigint NOT NULL DEFAULT 0 CHECK (shipping_minor BETWEEN 0 AND amount_minor);

CREATE TABLE shipments (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    carrier text NOT NULL,
    tracking_number text,
    -- the request that made it, once
    cause text NOT NULL CONSTRAINT shipments_cause UNIQUE,
    shipped_at timestamptz NOT NULL
);
CREATE INDEX shipments_order ON shipments (order_id);
CREATE TABLE shipment_lines (
    shipment_id uuid NOT NULL REFERENCES shipments (id),
    line_id uuid NOT NULL REFERENCES order_lines (id),
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (shipment_id, line_id)
);

-- What an account may open, from where it has it, until when.
CREATE TABLE rights (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    product_id uuid NOT NULL REFERENCES products (id),
    line_id uuid NOT NULL REFERENCES order_lines (id),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT rights_once UNIQUE (line_id, product_id),
    CHECK (ends_at IS NULL OR ends_at > starts_at)
);
CREATE INDEX rights_account ON rights (account_id, product_id);
