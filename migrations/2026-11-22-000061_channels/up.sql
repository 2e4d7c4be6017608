ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code', 'channel'));

-- Where things are sold: the own mall, which sells by orders, and others that report what they sold.
CREATE TABLE channels (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT channels_code UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    -- the own mall
    is_own boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (NOT is_own OR archived_at IS NULL)
);
CREATE UNIQUE INDEX channels_one_own ON channels (is_own) WHERE is_own;
INSERT INTO channels (id, code, name_zh, name_en, is_own, created_at) VALUES
    ('00000000-0000-7000-8000-000000000002', 'own-mall', '自有商城', 'Own mall', true, '2013-08-09T00:00:00Z');

-- What of a variant's stock is set aside for a channel: its pool has the capacity that left stock for it, and what the
-- channel sold is taken of it.
CREATE TABLE channel_allocations (
    channel_id uuid NOT NULL REFERENCES channels (id),
    variant_id uuid NOT NULL REFERENCES variants (id),
    pool_id uuid NOT NULL UNIQUE REFERENCES pools (id),
    PRIMARY KEY (channel_id, variant_id)
);
CREATE INDEX channel_allocations_variant ON channel_allocations (variant_id);

-- Which moves of stock went into allocations, or back.
CREATE TABLE channel_moves (
    move_id uuid PRIMARY KEY REFERENCES stock_moves (id),
    channel_id uuid NOT NULL REFERENCES channels (id)
);
CREATE INDEX channel_moves_channel ON channel_moves (channel_id);

-- What a channel reports to have sold, under a reference of its own, once. A wrong report is reversed by a counter-entry of
-- the same lines with the opposite sign.
CREATE TABLE channel_sales (
    id uuid PRIMARY KEY,
    channel_id uuid NOT NULL REFERENCES channels (id),
    reference text NOT NULL,
    reverses uuid CONSTRAINT channel_sales_reversed UNIQUE REFERENCES channel_sales (id),
    note text,
    sold_at timestamptz NOT NULL,
    reported_by text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX channel_sales_reference ON channel_sales (channel_id, reference) WHERE reverses IS NULL;
CREATE INDEX channel_sales_channel ON channel_sales (channel_id, id);
CREATE INDEX channel_sales_sold ON channel_sales (sold_at);

CREATE TABLE channel_sale_lines (
    sale_id uuid NOT NULL REFERENCES channel_sales (id),
    variant_id uuid NOT NULL REFERENCES variants (id),
    -- the allocation's, or the variant's stock where the channel has none
    pool_id uuid NOT NULL REFERENCES pools (id),
    quantity bigint NOT NULL CHECK (quantity <> 0),
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (sale_id, variant_id)
);
CREATE INDEX channel_sale_lines_pool ON channel_sale_lines (pool_id);

-- Reports go by the time of payment and of refund.
CREATE INDEX orders_paid ON orders (paid_at) WHERE paid_at IS NOT NULL;
CREATE INDEX refunds_created ON refunds (created_at);
