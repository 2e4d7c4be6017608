DROP TABLE pledges;
DROP TABLE drop_goals;
