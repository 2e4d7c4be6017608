ALTER TABLE measure_refunds DROP COLUMN refunded_minor;
