DROP TABLE invoices;
DROP TABLE invoices_due;
DROP TABLE invoice_counters;
ALTER TABLE order_lines DROP COLUMN tax_rate_bp;
