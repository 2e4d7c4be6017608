DROP TABLE gifts;
ALTER TABLE membership_terms DROP CONSTRAINT membership_terms_source_check;
ALTER TABLE membership_terms ADD CONSTRAINT membership_terms_source_check
    CHECK (source IN ('order', 'grant', 'extension'));
ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check
    CHECK (kind IN ('plan', 'renewal', 'upgrade', 'variant', 'bundle', 'gift_card'));
