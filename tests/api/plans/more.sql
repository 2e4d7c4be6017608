-- What nothing in check/shop.sql makes: whatever people leave behind by signing in, and what operators do.

-- The mall of the tests brings tiers of these names.
UPDATE tiers SET code = 'first-' || code;
-- Orders of the tests accept no rules, and nobody is told of an offer.
DELETE FROM community_rules;
UPDATE upgrade_offers SET archived_at = created_at;
-- Codes that have run out long ago gave their units back.
UPDATE f_codes SET ended_at = expires_at WHERE ended_at IS NULL AND expires_at < timestamptz '2026-11-21 00:00Z';

-- What was done lately is of every lane.
UPDATE jobs SET lane = CASE WHEN get_byte(uuid_send(id), 0) < 85 THEN 'stripe' ELSE 'mail' END
    WHERE state = 'done' AND get_byte(uuid_send(id), 0) < 170;

INSERT INTO sessions (id, account_id, user_agent, created_at, last_seen_at, expires_at, ended_at, ended_reason)
    SELECT md5('session' || n)::uuid, id, 'Mozilla/5.0', at, at, at + interval '30 days', CASE WHEN n % 3 = 0 THEN at END,
           CASE WHEN n % 3 = 0 THEN 'signed_out' END
    FROM (SELECT id, row_number() OVER () AS n FROM accounts) a, LATERAL (SELECT t(0) - n * interval '4 minutes' AS at) l;
INSERT INTO refresh_tokens (hash, session_id, salt, issued_at, expires_at, used_at)
    SELECT sha256((s.id::text || k)::bytea), s.id, 'salt', s.created_at, s.expires_at, CASE k WHEN 1 THEN s.created_at END
    FROM sessions s, generate_series(1, 2) k;
INSERT INTO account_tokens (hash, account_id, purpose, email, created_at, expires_at)
    SELECT sha256(id::text::bytea), account_id, 'verify_email', 'somebody@shop.test', created_at, created_at + interval '1 day'
    FROM sessions LIMIT 20000;
INSERT INTO attempts (key, window_started_at, count)
    SELECT 'key ' || id, created_at, 1 FROM sessions LIMIT 20000;
INSERT INTO addresses (id, account_id, address, is_default, created_at)
    SELECT id, account_id, '{}', true, created_at FROM sessions LIMIT 50000;
INSERT INTO portal_visits (id, account_id, return_url, created_at)
    SELECT id, account_id, 'http://shop.test', created_at FROM sessions LIMIT 20000;
INSERT INTO account_tags (account_id, tag) SELECT account_id, 'fan' FROM sessions LIMIT 20000;
INSERT INTO segment_accounts (segment_id, account_id)
    SELECT g.id, account_id FROM (SELECT id FROM segments LIMIT 1) g, sessions s LIMIT 20000;
INSERT INTO membership_freezes (id, membership_id, account_id, started_at, until, ended_at)
    SELECT id, id, account_id, starts_at, starts_at + interval '1 day', starts_at FROM memberships LIMIT 20000;
INSERT INTO card_charges (payment_id, stripe_payment_method_id, called_at)
    SELECT id, 'pm_1', created_at FROM payments LIMIT 20000;
INSERT INTO product_reminders (id, product_id, account_id, created_at)
    SELECT md5(s.id || 'r')::uuid, p.id, account_id, s.created_at FROM (SELECT id FROM products LIMIT 1) p, sessions s LIMIT 20000;
INSERT INTO mail_suppressions (id, email_key, reason, created_at)
    SELECT id, id || '@gone.test', 'hard_bounce', created_at FROM sessions LIMIT 20000;
INSERT INTO audit_log (seq, at, actor_kind, actor_id, action, subject_kind, subject_id, detail, prev_hash, hash)
    SELECT 1000000 + n, t(0) - n * interval '5 minutes', 'operator', md5('who' || CASE WHEN n % 2 = 0 THEN n % 5 ELSE n END)::uuid, 'order.refund', 'order', 'ord_' || n, '{}',
           sha256(('p' || n)::bytea), sha256(('h' || n)::bytea) FROM generate_series(1, 50000) n;
