DROP TABLE segment_accounts;
DROP TABLE segments;
DROP TABLE account_tags;
