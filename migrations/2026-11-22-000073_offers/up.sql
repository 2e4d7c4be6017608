-- More in the pack (a gift), and one thing instead of another for a supplement (a swap).
CREATE TABLE offers (
    id uuid PRIMARY KEY,
    code text NOT NULL CONSTRAINT offers_code UNIQUE,
    kind text NOT NULL CHECK (kind IN ('gift', 'swap')),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    buyers jsonb NOT NULL,
    -- what is bought; of a swap what is given up
    buy_variant_id uuid NOT NULL REFERENCES variants (id),
    buy_quantity integer NOT NULL DEFAULT 1 CHECK (buy_quantity > 0),
    get_variant_id uuid NOT NULL REFERENCES variants (id),
    get_quantity integer NOT NULL DEFAULT 1 CHECK (get_quantity > 0),
    most_per_order integer CHECK (most_per_order > 0),
    supplement_minor bigint CHECK (supplement_minor >= 0),
    starts_at timestamptz,
    ends_at timestamptz,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (starts_at IS NULL OR ends_at IS NULL OR starts_at < ends_at),
    CHECK ((kind = 'swap') = (supplement_minor IS NOT NULL)),
    CHECK (kind = 'gift' OR buy_variant_id <> get_variant_id)
);
CREATE INDEX offers_buy ON offers (buy_variant_id) WHERE archived_at IS NULL;

-- What an offer gave on a line: units for nothing, or units for a supplement.
CREATE TABLE line_offers (
    line_id uuid NOT NULL REFERENCES order_lines (id),
    offer_id uuid NOT NULL REFERENCES offers (id),
    quantity bigint NOT NULL CHECK (quantity > 0),
    discount_minor bigint NOT NULL CHECK (discount_minor >= 0),
    PRIMARY KEY (line_id, offer_id)
);
CREATE INDEX line_offers_offer ON line_offers (offer_id);
