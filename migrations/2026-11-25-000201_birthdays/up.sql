-- When a birthday was told: the first one that is kept comes after that. Null: it was told before this was noted.
ALTER TABLE accounts ADD COLUMN birthday_set_at timestamptz;
