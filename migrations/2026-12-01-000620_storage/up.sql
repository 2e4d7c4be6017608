-- How tables are laid out and vacuumed, indexes that were missing, and whose payment an event of Stripe's was about.
--
-- An update is HOT (it writes no index, and a later reader clears it away) where its page has room and no column changes that
-- an index holds or names in its WHERE. So room is left (fillfactor) where hot updates qualify, and not where they can't:
--
--   orders            state and paid_at are in orders_state, orders_pending, orders_paid …
--   payments          state is in payments_one_live, Stripe's ids are keys
--   claims            state is in claims_pool and claims_once
--   memberships       state and ends_at are in memberships_one_open and memberships_ending
--   jobs              state, run_at, leased_until and finished_at are each in an index, by which they are found
--   mails             state is in mails_unsent
--   stripe_events     state is in the indexes below
--   baskets           touched_at is in baskets_touched
--   coupon_uses       released_at is in coupon_uses_person
--   points_lots       active is in points_lots_spendable

-- Counters: the same row again and again.
ALTER TABLE pools SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE chapters SET (fillfactor = 70);
ALTER TABLE number_series SET (fillfactor = 70);
ALTER TABLE drop_tallies SET (fillfactor = 70);
ALTER TABLE coupon_issues SET (fillfactor = 70);
ALTER TABLE waiting_lines SET (fillfactor = 70);
ALTER TABLE attempts SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
-- Rows that are written a few times after they were made.
ALTER TABLE accounts SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE order_lines SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE sessions SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE refresh_tokens SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE notice_months SET (fillfactor = 90);

-- Queues: rows come, change and go. Dead ones stand in the way of whoever takes the next, so they are cleared away early and
-- without pauses.
ALTER TABLE jobs SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE idempotency_keys SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE invoices_due SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE level_looks SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);

-- Written when young and at rest ever after: a fifth of a hundred million rows is too much to wait for.
ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.01);
ALTER TABLE payments SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.01);
ALTER TABLE claims SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.01);
ALTER TABLE mails SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE stripe_events SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE coupons SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE points_lots SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Ledgers, never changed: frozen with the first vacuum, so that no later one reads them again.
ALTER TABLE audit_log SET (
    autovacuum_freeze_min_age = 0, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE credit_entries SET (
    autovacuum_freeze_min_age = 0, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE points_entries SET (
    autovacuum_freeze_min_age = 0, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE check_ins SET (
    autovacuum_freeze_min_age = 0, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE stock_moves SET (autovacuum_freeze_min_age = 0, autovacuum_vacuum_insert_scale_factor = 0.05);

-- Whose payment an event was about: an erasure empties those of its orders, and read every event for it.
ALTER TABLE stripe_events ADD COLUMN payment_id uuid REFERENCES payments (id);
UPDATE stripe_events e SET payment_id = p.id FROM payments p
    WHERE e.state = 'applied' AND e.payload <> ''
      AND p.stripe_session_id = convert_from(e.payload, 'UTF8')::jsonb #>> '{data,object,id}';
UPDATE stripe_events e SET payment_id = p.id FROM payments p
    WHERE e.state = 'applied' AND e.payload <> '' AND e.payment_id IS NULL
      AND p.stripe_payment_intent_id IN (convert_from(e.payload, 'UTF8')::jsonb #>> '{data,object,id}',
                                         convert_from(e.payload, 'UTF8')::jsonb #>> '{data,object,payment_intent}');
-- What an erasure couldn't find is kept by its id alone, as is what was somebody else's.
UPDATE stripe_events SET payload = '' WHERE state = 'ignored' OR (state = 'applied' AND payment_id IS NULL);
CREATE INDEX stripe_events_payment ON stripe_events (payment_id) WHERE payment_id IS NOT NULL;

-- By which housekeeping finds what is old.
CREATE INDEX stripe_events_kept ON stripe_events (received_at) WHERE state IN ('applied', 'unreadable');
CREATE INDEX stripe_events_ignored ON stripe_events (received_at) WHERE state = 'ignored';
CREATE INDEX account_tokens_expiry ON account_tokens (expires_at);

-- What an export and an erasure look for: rows of an account, and of an address.
CREATE INDEX membership_terms_account ON membership_terms (account_id, id);
CREATE INDEX series_places_of_account ON series_places (account_id);
CREATE INDEX drive_applications_account ON drive_applications (account_id, id);
CREATE INDEX drop_purchases_of_account ON drop_purchases (account_id);
CREATE INDEX coupon_uses_of_account ON coupon_uses (account_id);
CREATE INDEX drive_invitations_address_of ON drive_invitations (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX f_codes_address ON f_codes (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX gift_cards_address ON gift_cards (to_email);
CREATE INDEX gifts_address ON gifts (to_email);
CREATE INDEX mails_address ON mails (to_address);
CREATE INDEX audit_log_of_subject ON audit_log (subject_id, seq);
CREATE INDEX audit_log_actor ON audit_log (actor_id, seq) WHERE actor_id IS NOT NULL;

-- What operators filter by: of what is rare, or isn't there, they read everything.
CREATE INDEX audit_log_action ON audit_log (action, seq);
CREATE INDEX mails_kind ON mails (kind, id);
DROP INDEX mails_dead;
CREATE INDEX mails_unsent ON mails (state, id) WHERE state <> 'sent';

-- The report of points reads a range of time.
CREATE INDEX points_entries_created ON points_entries (created_at);

-- What is released with a line that was given back.
CREATE INDEX benefit_uses_line ON benefit_uses (line_id) WHERE line_id IS NOT NULL;
