ALTER TABLE drop_items DROP CONSTRAINT drop_items_price_is_for;
ALTER TABLE drop_items DROP COLUMN price_buyers;
ALTER TABLE drop_items DROP COLUMN price_minor;
