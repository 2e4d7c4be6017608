ALTER TABLE accounts DROP COLUMN birthday_set_at;
