-- A digital good that is opened by belonging (to the members, a tier, a segment), not only by buying. Who may open it is
-- asked live; nothing is kept of it.
ALTER TABLE products ADD COLUMN opens_for jsonb;
ALTER TABLE products ADD CONSTRAINT products_opens_for_digital CHECK (opens_for IS NULL OR kind = 'digital');
CREATE INDEX products_opens_for ON products (id) WHERE opens_for IS NOT NULL AND archived_at IS NULL;
