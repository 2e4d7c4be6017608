DROP TABLE order_adoptions;
