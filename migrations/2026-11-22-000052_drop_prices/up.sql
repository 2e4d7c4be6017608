-- What an article costs in a drop, and for whom of those who buy in it: lawful nowhere else.
ALTER TABLE drop_items ADD COLUMN price_minor bigint CHECK (price_minor >= 0);
ALTER TABLE drop_items ADD COLUMN price_buyers jsonb;
ALTER TABLE drop_items ADD CONSTRAINT drop_items_price_is_for CHECK ((price_minor IS NULL) = (price_buyers IS NULL));
