DROP INDEX refunds_created;
DROP INDEX orders_paid;
DROP TABLE channel_sale_lines;
DROP TABLE channel_sales;
DROP TABLE channel_moves;
DROP TABLE channel_allocations;
DROP TABLE channels;
ALTER TABLE pools DROP CONSTRAINT pools_kind_check;
ALTER TABLE pools ADD CONSTRAINT pools_kind_check
    CHECK (kind IN ('drive', 'invitation', 'stock', 'limit', 'drop', 'audience', 'f_code'));
