-- Operators are told once when no more than so many are left, and again after there were more.
ALTER TABLE variants ADD COLUMN low_stock_at bigint CHECK (low_stock_at >= 0);
ALTER TABLE variants ADD COLUMN low_stock_told_at timestamptz;
CREATE INDEX variants_watched ON variants (id) WHERE low_stock_at IS NOT NULL OR low_stock_told_at IS NOT NULL;

-- Sold before it is there: from when on it is sent. The units are moves of their own reason, which the goods that arrive
-- take the place of, so that the capacity of a stock stays the sum of its moves.
ALTER TABLE variants ADD COLUMN ships_from timestamptz;
ALTER TABLE stock_moves DROP CONSTRAINT stock_moves_reason_check;
ALTER TABLE stock_moves ADD CONSTRAINT stock_moves_reason_check CHECK (reason IN
    ('received', 'corrected', 'damaged', 'written_off', 'set_aside', 'returned_to_sale', 'returned', 'announced'));
CREATE INDEX stock_moves_announced ON stock_moves (variant_id) WHERE reason = 'announced';
-- What the buyer was told when it was ordered.
ALTER TABLE order_lines ADD COLUMN ships_from timestamptz;
