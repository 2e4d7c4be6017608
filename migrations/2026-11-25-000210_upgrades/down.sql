ALTER TABLE membership_terms DROP COLUMN credited_minor, DROP COLUMN replaced_by;
ALTER TABLE order_lines DROP COLUMN upgrade_quote_id;
ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check
    CHECK (kind IN ('plan', 'variant', 'bundle', 'gift_card'));
DROP TABLE upgrade_quotes;
ALTER TABLE plans DROP COLUMN open_upgrade;
