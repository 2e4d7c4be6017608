DROP TABLE shipping_promises;
