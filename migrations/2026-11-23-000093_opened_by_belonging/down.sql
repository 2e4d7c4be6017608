DROP INDEX products_opens_for;
ALTER TABLE products DROP CONSTRAINT products_opens_for_digital;
ALTER TABLE products DROP COLUMN opens_for;
