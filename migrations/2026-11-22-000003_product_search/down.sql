DROP INDEX products_category;
DROP INDEX products_search;
ALTER TABLE products DROP COLUMN search_terms;
