-- Paid orders that were cancelled before anything of them was sent: their claims went back, and so did their money.
CREATE TABLE order_cancellations (
    order_id uuid PRIMARY KEY REFERENCES orders (id),
    -- null: nothing had been paid
    refund_id uuid CONSTRAINT order_cancellations_refund UNIQUE REFERENCES refunds (id),
    cancelled_at timestamptz NOT NULL
);

-- Goods that their buyer sends back: requested, approved or rejected, received, and paid back or closed without.
CREATE TABLE returns (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    state text NOT NULL CHECK (state IN
        ('requested', 'approved', 'rejected', 'received', 'refunded', 'closed', 'cancelled')),
    reason text NOT NULL CHECK (reason IN ('changed_mind', 'damaged', 'wrong_item', 'not_as_described', 'other')),
    -- the buyer's words
    note text,
    -- asked for after the return window: an operator decides
    is_late boolean NOT NULL,
    -- the operator's words to the buyer: how to send it, why not, why it was closed
    answer text,
    refund_id uuid CONSTRAINT returns_refund UNIQUE REFERENCES refunds (id),
    requested_at timestamptz NOT NULL,
    decided_at timestamptz,
    received_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT returns_refunded CHECK ((state = 'refunded') = (refund_id IS NOT NULL)),
    CONSTRAINT returns_ended CHECK ((state IN ('rejected', 'refunded', 'closed', 'cancelled')) = (ended_at IS NOT NULL)),
    CONSTRAINT returns_received CHECK (CASE WHEN state IN ('received', 'refunded') THEN received_at IS NOT NULL
                                            WHEN state <> 'closed' THEN received_at IS NULL ELSE true END)
);
CREATE INDEX returns_order ON returns (order_id, id);
CREATE INDEX returns_state ON returns (state, id);

CREATE TABLE return_lines (
    return_id uuid NOT NULL REFERENCES returns (id),
    line_id uuid NOT NULL REFERENCES order_lines (id),
    quantity bigint NOT NULL CHECK (quantity > 0),
    -- of what arrived: back on sale, and what can't be sold again
    restocked bigint NOT NULL DEFAULT 0 CHECK (restocked >= 0),
    written_off bigint NOT NULL DEFAULT 0 CHECK (written_off >= 0),
    refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0),
    PRIMARY KEY (return_id, line_id),
    CONSTRAINT return_lines_received CHECK (restocked + written_off <= quantity)
);
CREATE INDEX return_lines_line ON return_lines (line_id);

-- units that come or came back: of returns that weren't rejected or given up
ALTER TABLE order_lines ADD COLUMN returned bigint NOT NULL DEFAULT 0
    CONSTRAINT order_lines_returned CHECK (returned BETWEEN 0 AND shipped);

-- when a refund or a cancellation put all that is left of it back on sale
ALTER TABLE order_lines ADD COLUMN restocked_at timestamptz;
UPDATE order_lines l SET restocked_at = r.at
    FROM (SELECT y.line_id, max(f.created_at) AS at FROM refund_lines y JOIN refunds f ON f.id = y.refund_id
          WHERE y.restock GROUP BY y.line_id) r
    WHERE r.line_id = l.id AND NOT EXISTS (SELECT FROM claims c WHERE c.line_id = l.id AND c.state IN ('held', 'taken'));

-- when the carrier handed it over, as an operator says
ALTER TABLE shipments ADD COLUMN delivered_at timestamptz
    CONSTRAINT shipments_delivered CHECK (delivered_at >= shipped_at);

ALTER TABLE stock_moves DROP CONSTRAINT stock_moves_reason_check;
ALTER TABLE stock_moves ADD CONSTRAINT stock_moves_reason_check CHECK (reason IN
    ('received', 'corrected', 'damaged', 'written_off', 'set_aside', 'returned_to_sale', 'returned'));
