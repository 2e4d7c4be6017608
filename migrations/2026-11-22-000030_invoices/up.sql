-- The rate of the tax inside a line, as it was sold: a product's may change.
ALTER TABLE order_lines ADD COLUMN tax_rate_bp integer NOT NULL DEFAULT 0 CHECK (tax_rate_bp BETWEEN 0 AND 10000);
UPDATE order_lines SET tax_rate_bp = p.tax_rate_bp FROM variants v JOIN products p ON p.id = v.product_id
    WHERE v.id = order_lines.variant_id AND order_lines.tax_included_minor > 0;

-- The last number of each kind, in the last year that had one. Only the job that issues locks these rows, before all others.
CREATE TABLE invoice_counters (
    kind text PRIMARY KEY CHECK (kind IN ('invoice', 'credit_note', 'correction')),
    year integer NOT NULL,
    last bigint NOT NULL CHECK (last >= 0)
);
INSERT INTO invoice_counters VALUES ('invoice', 0, 0), ('credit_note', 0, 0), ('correction', 0, 0);

-- What is still to be issued, written by what causes it: a paid order, a refund that went through, one that Stripe took back.
CREATE TABLE invoices_due (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'correction')),
    order_id uuid NOT NULL REFERENCES orders (id),
    refund_id uuid REFERENCES refunds (id),
    due_at timestamptz NOT NULL,
    CHECK ((kind = 'invoice') = (refund_id IS NULL))
);

-- What was issued, word for word; only the buyer can be forgotten. A credit note is about its order's invoice, a
-- correction about the credit note that it undoes.
CREATE TABLE invoices (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'correction')),
    number text NOT NULL CONSTRAINT invoices_number UNIQUE,
    -- of the shop's zone
    year integer NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    order_id uuid NOT NULL REFERENCES orders (id),
    refund_id uuid REFERENCES refunds (id),
    about_id uuid REFERENCES invoices (id),
    currency text NOT NULL,
    locale text NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor > 0),
    tax_minor bigint NOT NULL CHECK (tax_minor BETWEEN 0 AND total_minor),
    buyer jsonb,
    content jsonb NOT NULL,
    issued_at timestamptz NOT NULL,
    CONSTRAINT invoices_sequence UNIQUE (kind, year, sequence),
    CHECK ((kind = 'invoice') = (refund_id IS NULL)),
    CHECK ((kind = 'invoice') = (about_id IS NULL))
);
CREATE UNIQUE INDEX invoices_of_order ON invoices (order_id) WHERE kind = 'invoice';
CREATE UNIQUE INDEX invoices_of_refund ON invoices (refund_id, kind) WHERE refund_id IS NOT NULL;
CREATE INDEX invoices_order ON invoices (order_id, id);
CREATE INDEX invoices_year ON invoices (year, id);
CREATE INDEX invoices_kind ON invoices (kind, id);

-- What was sold and refunded before there were invoices gets them now.
INSERT INTO invoices_due (kind, order_id, due_at)
    SELECT 'invoice', id, paid_at FROM orders WHERE paid_at IS NOT NULL AND total_minor > 0 ORDER BY paid_at, id;
INSERT INTO invoices_due (kind, order_id, refund_id, due_at)
    SELECT 'credit_note', f.order_id, f.id, coalesce(f.ended_at, f.created_at) FROM refunds f
    JOIN payments p ON p.id = f.payment_id WHERE f.state = 'succeeded' AND NOT p.sent_back ORDER BY f.id;
