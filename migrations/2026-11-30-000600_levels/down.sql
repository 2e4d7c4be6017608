DROP TABLE loyalty_walks, stage_changes, account_stages, stages, level_looks, level_changes, account_levels;
DELETE FROM benefit_uses WHERE membership_id IS NULL;
DROP INDEX benefit_uses_membership;
DROP INDEX benefit_uses_a_period;
CREATE UNIQUE INDEX benefit_uses_a_period ON benefit_uses (membership_id, account_id, benefit_id, nth, ordinal)
    WHERE released_at IS NULL;
ALTER TABLE benefit_uses ALTER COLUMN membership_id SET NOT NULL;
UPDATE order_lines SET benefit_id = NULL WHERE benefit_id IN (SELECT id FROM benefits WHERE level_id IS NOT NULL);
DELETE FROM benefits WHERE level_id IS NOT NULL;
ALTER TABLE benefits DROP COLUMN level_id;
ALTER TABLE benefits ALTER COLUMN tier_id SET NOT NULL;
ALTER TABLE tiers DROP COLUMN floor_level_id;
DROP TABLE levels;
DROP INDEX orders_paid_by;
DROP VIEW order_money;
