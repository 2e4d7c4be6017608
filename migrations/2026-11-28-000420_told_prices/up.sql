-- What the owner of a saved card was told that a renewal will cost: the price less what coupons without a code take off it.
ALTER TABLE renewals ADD COLUMN told_minor bigint;
UPDATE renewals SET told_minor = price_minor WHERE noticed_at IS NOT NULL;
ALTER TABLE renewals ADD CONSTRAINT renewals_told CHECK (told_minor BETWEEN 0 AND price_minor);
