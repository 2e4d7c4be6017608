ALTER TABLE order_lines DROP COLUMN ships_from;
DROP INDEX stock_moves_announced;
ALTER TABLE stock_moves DROP CONSTRAINT stock_moves_reason_check;
ALTER TABLE stock_moves ADD CONSTRAINT stock_moves_reason_check CHECK (reason IN
    ('received', 'corrected', 'damaged', 'written_off', 'set_aside', 'returned_to_sale', 'returned'));
ALTER TABLE variants DROP COLUMN ships_from;
DROP INDEX variants_watched;
ALTER TABLE variants DROP COLUMN low_stock_told_at;
ALTER TABLE variants DROP COLUMN low_stock_at;
