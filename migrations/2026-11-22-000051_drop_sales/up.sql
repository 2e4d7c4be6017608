-- What a drop has sold: a ledger in the order in which sales were settled, one row an order, with the sums up to it. What is
-- refunded later was sold all the same. The tally is its last sums; its row is locked while a sale is entered.
CREATE TABLE drop_tallies (
    drop_id uuid PRIMARY KEY REFERENCES drops (id),
    units bigint NOT NULL CHECK (units >= 0),
    orders bigint NOT NULL CHECK (orders >= 0),
    revenue_minor bigint NOT NULL CHECK (revenue_minor >= 0)
);
CREATE TABLE drop_sales (
    drop_id uuid NOT NULL REFERENCES drops (id),
    order_id uuid NOT NULL REFERENCES orders (id),
    units bigint NOT NULL CHECK (units > 0),
    revenue_minor bigint NOT NULL CHECK (revenue_minor >= 0),
    units_after bigint NOT NULL,
    revenue_after_minor bigint NOT NULL,
    sold_at timestamptz NOT NULL,
    PRIMARY KEY (drop_id, order_id),
    CONSTRAINT drop_sales_sum UNIQUE (drop_id, units_after)
);

-- Drops whose sales board is public.
CREATE TABLE drop_boards (
    drop_id uuid PRIMARY KEY REFERENCES drops (id),
    created_at timestamptz NOT NULL
);
-- Amounts that are announced when a drop's sales reach them, and when they did.
CREATE TABLE drop_milestones (
    drop_id uuid NOT NULL REFERENCES drop_boards (drop_id),
    kind text NOT NULL CHECK (kind IN ('units', 'revenue')),
    -- units, or minor units of money
    amount bigint NOT NULL CHECK (amount > 0),
    reached_at timestamptz,
    PRIMARY KEY (drop_id, kind, amount)
);

INSERT INTO drop_sales (drop_id, order_id, units, revenue_minor, units_after, revenue_after_minor, sold_at)
    SELECT drop_id, id, units, revenue, sum(units) OVER sofar, sum(revenue) OVER sofar, paid_at
    FROM (SELECT l.drop_id, o.id, o.paid_at, sum(l.quantity) AS units, sum(l.total_minor) AS revenue
          FROM order_lines l JOIN orders o ON o.id = l.order_id
          WHERE l.drop_id IS NOT NULL AND o.paid_at IS NOT NULL GROUP BY l.drop_id, o.id) AS sale
    WINDOW sofar AS (PARTITION BY drop_id ORDER BY paid_at, id);
INSERT INTO drop_tallies (drop_id, units, orders, revenue_minor)
    SELECT drop_id, sum(units), count(*), sum(revenue_minor) FROM drop_sales GROUP BY drop_id;
