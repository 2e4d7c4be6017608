-- What operators look for orders by, each in the order of the list.
CREATE INDEX orders_state ON orders (state, id);
CREATE INDEX orders_created ON orders (created_at);
CREATE INDEX orders_email ON orders (lower(email), id);
DROP INDEX order_lines_variant;
CREATE INDEX order_lines_variant ON order_lines (variant_id, order_id) WHERE variant_id IS NOT NULL;
DROP INDEX order_lines_drive;
CREATE INDEX order_lines_drive ON order_lines (drive_id, order_id) WHERE drive_id IS NOT NULL;
CREATE INDEX order_lines_drop ON order_lines (drop_id, order_id) WHERE drop_id IS NOT NULL;
