DROP INDEX order_lines_drop;
DROP INDEX order_lines_drive;
CREATE INDEX order_lines_drive ON order_lines (drive_id) WHERE drive_id IS NOT NULL;
DROP INDEX order_lines_variant;
CREATE INDEX order_lines_variant ON order_lines (variant_id) WHERE variant_id IS NOT NULL;
DROP INDEX orders_email, orders_created, orders_state;
