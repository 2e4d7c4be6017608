DROP TABLE benefit_uses;
ALTER TABLE order_lines DROP COLUMN saved_minor;
ALTER TABLE order_lines DROP COLUMN benefit_id;
DROP VIEW standings;
CREATE VIEW standings AS
SELECT m.id AS key, NULL::uuid AS seat_id, m.id, m.account_id, m.tier_id, m.plan_id, m.chapter_id, m.state, m.starts_at,
       m.ends_at, m.frozen_at, m.frozen_causes, m.closed_at, m.version
FROM memberships m WHERE m.state IN ('active', 'frozen')
UNION ALL
SELECT a.id, a.id, m.id, a.account_id, coalesce(t.associate_tier_id, m.tier_id), NULL::uuid, m.chapter_id, m.state,
       a.accepted_at, m.ends_at, m.frozen_at, m.frozen_causes, m.closed_at, m.version
FROM associates a JOIN memberships m ON m.id = a.membership_id JOIN tiers t ON t.id = m.tier_id
WHERE a.state = 'active' AND m.state IN ('active', 'frozen');
ALTER TABLE memberships DROP COLUMN rested_seconds;
ALTER TABLE tiers ADD COLUMN benefits jsonb NOT NULL DEFAULT '[]';
UPDATE tiers t SET benefits = coalesce(b.rows, '[]')
FROM (SELECT tier_id, jsonb_agg(jsonb_build_object('kind', kind, 'names',
             jsonb_build_object('zh-CN', name_zh, 'en', name_en), 'allowed', allowed) ORDER BY id) AS rows
      FROM benefits WHERE archived_at IS NULL GROUP BY tier_id) b WHERE b.tier_id = t.id;
DROP TABLE benefits;
