-- What a product is found by (shop/products/search.rs): words with their beginnings, and pairs of Chinese characters, so
-- that a query of two characters hits and an index serves it.
ALTER TABLE products ADD COLUMN search_terms text[] NOT NULL DEFAULT '{}';
CREATE INDEX products_search ON products USING gin (search_terms);
CREATE INDEX products_category ON products (category, id) WHERE category IS NOT NULL;
