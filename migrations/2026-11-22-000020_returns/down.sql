ALTER TABLE stock_moves DROP CONSTRAINT stock_moves_reason_check;
ALTER TABLE stock_moves ADD CONSTRAINT stock_moves_reason_check CHECK (reason IN
    ('received', 'corrected', 'damaged', 'written_off', 'set_aside', 'returned_to_sale'));
ALTER TABLE shipments DROP COLUMN delivered_at;
ALTER TABLE order_lines DROP COLUMN restocked_at;
ALTER TABLE order_lines DROP COLUMN returned;
DROP TABLE return_lines, returns, order_cancellations;
