DROP TABLE drop_milestones;
DROP TABLE drop_boards;
DROP TABLE drop_sales;
DROP TABLE drop_tallies;
