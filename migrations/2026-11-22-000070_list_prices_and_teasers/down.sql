DROP TABLE product_reminders, related_products;
ALTER TABLE products DROP COLUMN hides_price;
ALTER TABLE products DROP COLUMN available_from;
DROP TABLE list_prices;
ALTER TABLE variants DROP COLUMN version;
