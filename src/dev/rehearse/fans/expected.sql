-- What everybody should have in the end, from what he bought, what went back, when he checked in and whom he brought. No row of the
-- ledger of points nor of levels and stages is asked. {end}: the last moment.

-- All refunds are whole.
CREATE TEMP TABLE bought AS
SELECT o.id, o.account_id, o.paid_at, o.due_minor, o.points, o.invite_code, r.order_id IS NULL AS stays,
       o.points - coalesce(r.points, 0) AS points_gone
FROM orders o
LEFT JOIN (SELECT order_id, sum(points) AS points FROM refunds WHERE state = 'succeeded' GROUP BY order_id) r ON r.order_id = o.id
WHERE o.paid_at IS NOT NULL AND o.paid_at <= {end};
CREATE INDEX ON bought (account_id, paid_at);

-- Who has brought whom: by the first order of the friend, sixteen days later.
CREATE TEMP TABLE brought AS
SELECT c.account_id AS inviter_id, b.account_id AS friend_id, b.paid_at + interval '16 days' AS at
FROM bought b JOIN invite_codes c ON c.code = b.invite_code WHERE b.stays;

-- Levels, from the first order on: up at once, judged anew on each anniversary by what was bought in the year that then ends.
CREATE FUNCTION pg_temp.reached(who uuid, at timestamptz) RETURNS integer LANGUAGE sql AS $$
    SELECT CASE WHEN sum(due_minor) >= 100000 THEN 30 WHEN sum(due_minor) >= 50000 THEN 20 WHEN sum(due_minor) >= 10000 THEN 10 ELSE 0 END
    FROM bought WHERE account_id = who AND stays AND paid_at > at - interval '1 year' AND paid_at <= at
$$;
CREATE TEMP TABLE judged (account_id uuid, kind text, rank integer, at timestamptz);
DO $$
DECLARE
    who uuid;
    moment timestamptz;
    held integer;
    due timestamptz;
    now_reached integer;
BEGIN
    FOR who IN SELECT DISTINCT account_id FROM bought LOOP
        held := 0;
        due := NULL;
        FOR moment IN SELECT paid_at FROM bought WHERE account_id = who AND stays UNION ALL SELECT {end} ORDER BY 1 LOOP
            WHILE due <= moment LOOP
                now_reached := least(pg_temp.reached(who, due), held);
                INSERT INTO judged VALUES (who, CASE WHEN now_reached = held THEN 'kept' ELSE 'dropped' END, now_reached, due);
                held := now_reached;
                due := CASE WHEN held > 0 THEN due + interval '1 year' END;
            END LOOP;
            now_reached := pg_temp.reached(who, moment);
            IF now_reached > held THEN
                INSERT INTO judged VALUES (who, 'raised', now_reached, moment);
                held := now_reached;
                due := moment + interval '1 year';
            END IF;
        END LOOP;
    END LOOP;
END $$;
CREATE TEMP TABLE expected_levels AS
SELECT DISTINCT ON (account_id) account_id, rank FROM judged ORDER BY account_id, at DESC;

-- What was earned, when it could be spent, and until when: a year, to the end of the day.
CREATE TEMP TABLE earned AS
SELECT account_id, points, at, at + interval '1 year 1 day' AS until FROM (
    SELECT account_id, due_minor / 100 AS points, paid_at + interval '16 days' AS at FROM bought WHERE stays
    UNION ALL SELECT inviter_id, 300, at FROM brought
    UNION ALL SELECT friend_id, 200, at FROM brought
    UNION ALL SELECT account_id, 100, min(at) FROM judged WHERE kind = 'raised' AND rank = 20 GROUP BY account_id
    -- Each second day in a row gives more.
    UNION ALL SELECT account_id, CASE row_number() OVER (PARTITION BY account_id, begun ORDER BY day) % 2 WHEN 0 THEN 25 ELSE 5 END, created_at
    FROM (SELECT account_id, day, created_at,
                 day - row_number() OVER (PARTITION BY account_id ORDER BY day)::integer AS begun FROM check_ins) AS days
) AS lots;
CREATE INDEX ON earned (account_id);

-- What expires first is spent first, and what can be spent first expires first. So when something expires, all that had to be spent
-- until then and wasn't is gone.
CREATE TEMP TABLE gone AS
SELECT e.account_id, e.until, greatest(0,
    sum(e.points) OVER (PARTITION BY e.account_id ORDER BY e.until)
    - (SELECT coalesce(sum(b.points_gone), 0) FROM bought b WHERE b.account_id = e.account_id AND b.paid_at < e.until)) AS points
FROM earned e WHERE e.until <= {end};
CREATE INDEX ON gone (account_id);
CREATE TEMP TABLE expected_points AS
SELECT a.id AS account_id, e.pending, greatest(e.ripe - b.spent - g.expired, 0) AS active, greatest(b.spent + g.expired - e.ripe, 0) AS owed,
       g.expired
FROM accounts a
CROSS JOIN LATERAL (SELECT coalesce(sum(points) FILTER (WHERE at > {end}), 0) AS pending,
                           coalesce(sum(points) FILTER (WHERE at <= {end}), 0) AS ripe FROM earned WHERE account_id = a.id) e
CROSS JOIN LATERAL (SELECT coalesce(sum(points_gone), 0) AS spent FROM bought WHERE account_id = a.id) b
CROSS JOIN LATERAL (SELECT coalesce(max(points), 0) AS expired FROM gone WHERE account_id = a.id) g;

-- Stages: by orders that stand, those of the last year, and friends.
CREATE TEMP TABLE expected_stages AS
SELECT a.id AS account_id,
       CASE WHEN b.lately >= 2 AND f.friends >= 1 THEN 'fan' WHEN b.orders >= 2 THEN 'user' WHEN b.orders = 1 THEN 'customer' END AS code
FROM accounts a
CROSS JOIN LATERAL (SELECT count(*) AS orders, count(*) FILTER (WHERE paid_at > {end} - interval '1 year') AS lately
                    FROM bought WHERE account_id = a.id AND stays) b
CROSS JOIN LATERAL (SELECT count(*) AS friends FROM brought WHERE inviter_id = a.id) f;
