-- A shop in which something of everything has happened and every invariant holds. Ids are made of names, by u('name').

CREATE FUNCTION u(name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5(name)::uuid $$;
CREATE FUNCTION ext(prefix text, name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT prefix || '_' || md5(name) $$;

-- Everything happens within the last hour before 22 November 2026.
CREATE FUNCTION t(minutes integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
    $$ SELECT timestamptz '2026-11-21 23:00Z' + minutes * interval '1 minute' $$;

CREATE FUNCTION job(kind text, field text, id text, state text DEFAULT 'queued', run_at timestamptz DEFAULT t(0))
RETURNS void LANGUAGE sql AS $$
    INSERT INTO jobs (id, lane, kind, payload, state, run_at, created_at, lease, finished_at) VALUES
        (gen_random_uuid(), 'local', kind, jsonb_build_object(field, id), state, run_at, t(0),
         CASE WHEN state = 'running' THEN gen_random_uuid() END, CASE WHEN state IN ('done', 'dead') THEN t(1) END)
$$;

CREATE FUNCTION mail(kind text, cause text, account text, data jsonb, state text DEFAULT 'sent')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mails (id, cause, account_id, to_address, kind, locale, data, state, created_at, sent_at) VALUES
        (u(cause), cause, u(account), account || '@shop.test', kind, 'en', data, state, t(2),
         CASE WHEN state = 'sent' THEN t(3) END);
    PERFORM job('send_mail', 'mail', ext('mail', cause), CASE WHEN state = 'sent' THEN 'done' ELSE 'queued' END);
END $$;

CREATE FUNCTION account(name text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO accounts (id, email, email_key, person_key, locale, created_at) VALUES
        (u(name), name || '@shop.test', name || '@shop.test', name || '@shop.test', 'en', t(0))
$$;

-- An order `name` of the account `name`, with one line, its claims, place, first payment and key.
CREATE FUNCTION place(name text, plan text, drive text, invitation text, price bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM account(name);
    INSERT INTO orders (id, number, account_id, state, currency, subtotal_minor, total_minor, due_minor, explanation,
                        email, locale, consents, success_url, cancel_url, hold_minutes, has_membership, created_at)
        VALUES (u(name || ' order'), 'N-' || name, u(name), 'pending_payment', 'CNY', price, price, price, '[]',
                name || '@shop.test', 'en', '{}', 'http://shop.test', 'http://shop.test', 15, true, t(1));
    INSERT INTO order_lines (id, order_id, position, kind, plan_id, drive_id, invitation_id, title, quantity,
                             unit_price_minor, total_minor)
        VALUES (u(name || ' line'), u(name || ' order'), 0, 'plan', u(plan), u(drive), u(invitation), 'A membership', 1,
                price, price);
    INSERT INTO claims (id, pool_id, order_id, line_id, quantity, state, created_at)
        SELECT u(name || ' claim ' || p), u(p || ' pool'), u(name || ' order'), u(name || ' line'), 1, 'held', t(1)
        FROM unnest(ARRAY[drive, invitation]) AS p WHERE p IS NOT NULL;
    UPDATE pools SET held = held + 1 WHERE id IN (u(drive || ' pool'), u(invitation || ' pool'));
    INSERT INTO series_places (id, series, account_id, person_key, order_id)
        SELECT u(name || ' place'), d.series, u(name), name || '@shop.test', u(name || ' order')
        FROM drives d WHERE d.id = u(drive);
    INSERT INTO payments (id, order_id, attempt, state, amount_minor, currency, methods, created_at)
        VALUES (u(name || ' payment 1'), u(name || ' order'), 1, CASE price WHEN 0 THEN 'not_needed' ELSE 'preparing' END,
                price, 'CNY', '{wechat_pay}', t(1));
    INSERT INTO idempotency_keys (account_id, route, key, body_hash, status, resource, created_at)
        VALUES (u(name), 'POST /v1/orders', name, '\x', 201, u(name || ' order'), t(1));
    PERFORM CASE price WHEN 0 THEN job('settle_free', 'order', ext('ord', name || ' order'))
                       ELSE job('open_checkout', 'payment', ext('pay', name || ' payment 1')) END;
END $$;

-- The page of the payment is ready, and the clock of the hold runs.
CREATE FUNCTION ready(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payments SET state = 'ready', url = 'http://stripe.test', expires_at = t(16) WHERE id = u(name || ' payment 1');
    UPDATE jobs SET state = 'done', finished_at = t(1) WHERE payload = jsonb_build_object('payment', ext('pay', name || ' payment 1'));
    PERFORM job('end_hold', 'order', ext('ord', name || ' order'), 'queued', t(16));
END $$;

CREATE FUNCTION move_claims(name text, from_state text, to_state text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pools SET held = held - CASE WHEN from_state = 'held' THEN 1 ELSE 0 END,
                     taken = taken - CASE WHEN from_state = 'taken' THEN 1 ELSE 0 END
                                   + CASE WHEN to_state = 'taken' THEN 1 ELSE 0 END
        WHERE id IN (SELECT pool_id FROM claims WHERE order_id = u(name || ' order') AND state = from_state);
    UPDATE claims SET state = to_state, ended_at = t(2) WHERE order_id = u(name || ' order') AND state = from_state;
END $$;

-- The order ends without a payment.
CREATE FUNCTION close(name text, into_state text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM move_claims(name, 'held', 'released');
    UPDATE series_places SET released_at = t(2) WHERE order_id = u(name || ' order');
    UPDATE orders SET state = into_state, closed_at = t(2) WHERE id = u(name || ' order');
    UPDATE payments SET state = 'expired', ended_at = t(2) WHERE order_id = u(name || ' order');
    UPDATE jobs SET state = 'done', finished_at = t(2) WHERE payload = jsonb_build_object('order', ext('ord', name || ' order'));
END $$;

-- What is paid is to be invoiced.
CREATE FUNCTION owe_invoice(name text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO invoices_due (kind, order_id, due_at)
        SELECT 'invoice', id, t(4) FROM orders WHERE id = u(name || ' order') AND total_minor > 0
$$;

CREATE FUNCTION capture(payment text) RETURNS void LANGUAGE sql AS $$
    UPDATE payments SET state = 'succeeded', captured_minor = amount_minor, captured_at = t(4), ended_at = t(4)
        WHERE id = u(payment)
$$;

-- The order is paid and fulfilled: a membership of a year from now on (or for life), its number, the mails.
CREATE FUNCTION settle(name text, ends timestamptz DEFAULT t(4) + interval '1 year') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    sequence bigint;
    number text;
BEGIN
    PERFORM move_claims(name, 'held', 'taken');
    UPDATE orders SET state = 'fulfilled', paid_at = t(4), closed_at = NULL WHERE id = u(name || ' order');
    PERFORM owe_invoice(name);
    UPDATE order_lines SET fulfilled_at = t(4) WHERE order_id = u(name || ' order');
    UPDATE jobs SET state = 'done', finished_at = t(4) WHERE payload = jsonb_build_object('order', ext('ord', name || ' order'));
    INSERT INTO memberships (id, account_id, tier_id, plan_id, chapter_id, state, starts_at, ends_at)
        SELECT u(name || ' membership'), u(name), p.tier_id, p.id, '00000000-0000-7000-8000-000000000001', 'active', t(4), ends
        FROM order_lines l JOIN plans p ON p.id = l.plan_id WHERE l.id = u(name || ' line');
    INSERT INTO membership_terms (id, membership_id, account_id, source, line_id, tier_id, plan_id, anchor_at, starts_at,
                                  ends_at, value_minor, value_from, value_seconds, created_at)
        SELECT u(name || ' term'), m.id, m.account_id, 'order', l.id, m.tier_id, m.plan_id, t(4), t(4), ends, l.total_minor,
               t(4), extract(epoch FROM ends - t(4)), t(4)
        FROM memberships m JOIN order_lines l ON l.id = u(name || ' line') WHERE m.id = u(name || ' membership');
    UPDATE chapters SET next_sequence = next_sequence + 1 WHERE is_default RETURNING next_sequence - 1 INTO sequence;
    number := 'KD' || lpad(sequence::text, 4, '0');
    INSERT INTO member_numbers VALUES (number, u(name), '00000000-0000-7000-8000-000000000001', sequence, t(4));
    PERFORM mail('receipt', 'receipt:' || ext('ord', name || ' order'), name, jsonb_build_object('order_number', 'N-' || name));
    PERFORM mail('welcome', 'welcome:' || ext('line', name || ' line'), name, jsonb_build_object('number', number));
    IF ends IS NOT NULL THEN
        PERFORM job('expire_membership', 'membership', ext('mem', name || ' membership'), 'queued', ends + interval '7 days');
        PERFORM job('renew', 'membership', ext('mem', name || ' membership'), 'queued', ends - interval '30 days');
    END IF;
END $$;

CREATE FUNCTION refund(name text, payment text, amount bigint, in_state text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO refunds (id, order_id, payment_id, cause, amount_minor, currency, reason, state, created_at, ended_at)
        VALUES (u(name || ' refund'), u(name || ' order'), u(payment), 'test:' || name, amount, 'CNY', 'test', in_state, t(5),
                CASE WHEN in_state IN ('succeeded', 'failed') THEN t(6) END);
    PERFORM mail('refunded', 'refund:' || ext('ref', name || ' refund'), name, '{}');
    PERFORM job('send_refund', 'refund', ext('ref', name || ' refund'), CASE in_state WHEN 'queued' THEN 'running' ELSE 'done' END);
END $$;

-- Part of the price, or all of it, goes back by lines.
CREATE FUNCTION refund_line(name text, amount bigint, in_state text, restock boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refund(name, name || ' payment 1', amount, in_state);
    INSERT INTO refund_lines VALUES (u(name || ' refund'), u(name || ' line'), amount, restock);
    INSERT INTO invoices_due (kind, order_id, refund_id, due_at)
        SELECT 'credit_note', order_id, id, t(6) FROM refunds WHERE id = u(name || ' refund') AND state = 'succeeded';
    UPDATE order_lines SET refunded_minor = amount WHERE id = u(name || ' line');
    UPDATE orders SET refunded_minor = amount, state = CASE WHEN amount = due_minor THEN 'refunded' ELSE 'partly_refunded' END
        WHERE id = u(name || ' order');
END $$;

INSERT INTO tiers (id, code, name_zh, name_en, rank, created_at) VALUES
    (u('regular tier'), 'regular', '普通会员', 'Regular', 1, t(0)), (u('diehard tier'), 'diehard', '铁杆会员', 'Diehard', 2, t(0));
INSERT INTO plans (id, code, tier_id, term, price_minor, currency, renews, payment_methods, created_at) VALUES
    (u('regular plan'), 'regular', u('regular tier'), 'P1Y', 20000, 'CNY', 'never', '{wechat_pay}', t(0)),
    (u('diehard plan'), 'diehard', u('diehard tier'), 'lifetime', 120000, 'CNY', 'never', '{wechat_pay}', t(0));
INSERT INTO pools (id, kind, capacity) VALUES
    (u('regular drive pool'), 'drive', 50), (u('diehard drive pool'), 'drive', 5), (u('invitation pool'), 'invitation', 3);
INSERT INTO drives (id, code, series, name_zh, name_en, plan_id, pool_id, admission, opens_at, closes_at, created_at) VALUES
    (u('regular drive'), 'regular', 'luoji-2013', '普通', 'Regular', u('regular plan'), u('regular drive pool'), 'open', t(0), t(60), t(0)),
    (u('diehard drive'), 'diehard', 'luoji-2013', '铁杆', 'Diehard', u('diehard plan'), u('diehard drive pool'), 'invitation', t(0), t(60), t(0));
INSERT INTO drive_releases VALUES (u('regular drive'), t(0), 30), (u('regular drive'), t(30), 20);
INSERT INTO drive_invitations (id, drive_id, code, pool_id, created_at) VALUES
    (u('invitation'), u('diehard drive'), 'INVITED', u('invitation pool'), t(0));

-- Paid: a year, and for life on an invitation.
SELECT place('ada', 'regular plan', 'regular drive', NULL, 20000), ready('ada'), capture('ada payment 1'), settle('ada');
SELECT place('bob', 'diehard plan', 'diehard drive', 'invitation', 120000), ready('bob'), capture('bob payment 1'), settle('bob', NULL);
-- Without a drive, and for nothing: waiting, and settled.
SELECT place('cleo', 'regular plan', NULL, NULL, 0);
SELECT place('dan', 'regular plan', NULL, NULL, 0), settle('dan');
SELECT place('abe', 'regular plan', NULL, NULL, 0), close('abe', 'cancelled');
-- Waiting: for the page, for the buyer, for the page of a second attempt, for a second attempt, for money on its way.
SELECT place('eve', 'regular plan', 'regular drive', NULL, 20000);
SELECT place('finn', 'diehard plan', 'diehard drive', 'invitation', 120000), ready('finn');
SELECT place('gus', 'regular plan', 'regular drive', NULL, 20000);
UPDATE payments SET state = 'failed', ended_at = t(2) WHERE id = u('gus payment 1');
INSERT INTO payments (id, order_id, attempt, state, amount_minor, currency, methods, created_at) VALUES
    (u('gus payment 2'), u('gus order'), 2, 'preparing', 20000, 'CNY', '{card}', t(3));
SELECT job('open_checkout', 'payment', ext('pay', 'gus payment 2'), 'running');
SELECT place('ike', 'regular plan', 'regular drive', NULL, 20000), ready('ike');
UPDATE payments SET state = 'failed', ended_at = t(2) WHERE id = u('ike payment 1');
SELECT place('joy', 'regular plan', 'regular drive', NULL, 20000), ready('joy');
UPDATE payments SET state = 'processing' WHERE id = u('joy payment 1');
SELECT job('end_processing', 'payment', ext('pay', 'joy payment 1'), 'queued', t(3 * 24 * 60));
-- Ended without money: expired, cancelled with its page still open at Stripe.
SELECT place('hal', 'regular plan', 'regular drive', NULL, 20000), ready('hal'), close('hal', 'expired');
SELECT place('ida', 'regular plan', 'regular drive', NULL, 20000), ready('ida'), close('ida', 'cancelled'),
       job('close_checkout', 'payment', ext('pay', 'ida payment 1'));
-- Paid too late: sent back (one refund queued, one refused by Stripe), and honoured.
SELECT place('jan', 'regular plan', 'regular drive', NULL, 20000), ready('jan'), close('jan', 'expired'), capture('jan payment 1'),
       refund('jan', 'jan payment 1', 20000, 'queued');
SELECT place('kit', 'regular plan', 'regular drive', NULL, 20000), ready('kit'), close('kit', 'expired'), capture('kit payment 1'),
       refund('kit', 'kit payment 1', 20000, 'failed');
UPDATE payments SET sent_back = true WHERE id IN (u('jan payment 1'), u('kit payment 1'));
SELECT place('lea', 'regular plan', 'regular drive', NULL, 20000), ready('lea'), close('lea', 'expired');
INSERT INTO claims (id, pool_id, order_id, line_id, quantity, state, created_at) VALUES
    (u('lea claim again'), u('regular drive pool'), u('lea order'), u('lea line'), 1, 'taken', t(4));
UPDATE pools SET taken = taken + 1 WHERE id = u('regular drive pool');
UPDATE series_places SET released_at = NULL WHERE order_id = u('lea order');
SELECT capture('lea payment 1'), settle('lea');
-- Refunded: in part, in full with the place kept, in full with the place back on sale.
SELECT place('mia', 'regular plan', 'regular drive', NULL, 20000), ready('mia'), capture('mia payment 1'), settle('mia'),
       refund_line('mia', 5000, 'pending', false);
SELECT place('nat', 'regular plan', 'regular drive', NULL, 20000), ready('nat'), capture('nat payment 1'), settle('nat'),
       refund_line('nat', 20000, 'succeeded', false);
SELECT place('oda', 'regular plan', 'regular drive', NULL, 20000), ready('oda'), capture('oda payment 1'), settle('oda'),
       refund_line('oda', 20000, 'succeeded', true), move_claims('oda', 'taken', 'released');
UPDATE series_places SET released_at = t(5) WHERE order_id = u('oda order');
UPDATE membership_terms SET ended_at = t(5) WHERE id IN (u('nat term'), u('oda term'));
UPDATE memberships SET state = 'expired', closed_at = t(5), ends_at = t(5) WHERE id IN (u('nat membership'), u('oda membership'));
-- A membership of two terms, the second one given by an operator; frozen once, and the time was given back.
SELECT place('pia', 'regular plan', 'regular drive', NULL, 20000), ready('pia'), capture('pia payment 1'), settle('pia');
UPDATE membership_terms SET ends_at = ends_at + interval '9 minutes' WHERE id = u('pia term');
INSERT INTO membership_terms (id, membership_id, account_id, source, tier_id, plan_id, anchor_at, starts_at, ends_at,
                              value_minor, value_from, value_seconds, created_at)
    SELECT u('pia term 2'), membership_id, account_id, 'extension', tier_id, NULL, ends_at, ends_at, ends_at + interval '1 day',
           0, ends_at, 86400, t(20)
    FROM membership_terms WHERE id = u('pia term');
UPDATE memberships m SET ends_at = t.ends_at FROM membership_terms t
    WHERE t.id = u('pia term 2') AND m.id = u('pia membership');
-- Frozen by an operator and for a dispute.
SELECT place('una', 'regular plan', 'regular drive', NULL, 20000), ready('una'), capture('una payment 1'), settle('una');
INSERT INTO disputes (id, stripe_dispute_id, payment_id, order_id, state, amount_minor, currency, reason, opened_at)
    VALUES (u('una dispute'), 'dp_1', u('una payment 1'), u('una order'), 'open', 20000, 'CNY', 'fraudulent', t(6));
UPDATE memberships SET state = 'frozen', frozen_at = t(6), frozen_causes = ARRAY['operator', 'dispute:' || ext('dsp', 'una dispute')]
    WHERE id = u('una membership');
-- A gift of an operator, with its welcome.
SELECT account('vic');
INSERT INTO memberships (id, account_id, tier_id, plan_id, chapter_id, state, starts_at)
    VALUES (u('vic membership'), u('vic'), u('diehard tier'), u('diehard plan'), '00000000-0000-7000-8000-000000000001', 'active', t(4));
INSERT INTO membership_terms (id, membership_id, account_id, source, tier_id, plan_id, anchor_at, starts_at, value_minor, value_from, created_at)
    VALUES (u('vic term'), u('vic membership'), u('vic'), 'grant', u('diehard tier'), u('diehard plan'), t(4), t(4), 0, t(4), t(4));
INSERT INTO member_numbers SELECT 'KD' || lpad(next_sequence::text, 4, '0'), u('vic'), id, next_sequence, t(4) FROM chapters;
UPDATE chapters SET next_sequence = next_sequence + 1;
SELECT mail('welcome', 'welcome:' || ext('term', 'vic term'), 'vic', '{}');
-- Applications: waiting, decided.
INSERT INTO drive_applications (id, drive_id, account_id, answers, state, reason, decided_at, created_at) VALUES
    (u('waiting'), u('diehard drive'), u('eve'), '{}', 'received', NULL, NULL, t(1)),
    (u('refused'), u('diehard drive'), u('gus'), '{}', 'refused', 'no', t(2), t(1));
SELECT mail('application_received', 'application:' || ext('app', 'waiting') || ':received', 'eve', '{}'),
       mail('application_received', 'application:' || ext('app', 'refused') || ':received', 'gus', '{}'),
       mail('application_refused', 'application:' || ext('app', 'refused') || ':decided', 'gus', '{}');
-- Events of Stripe; mails on their way; a dead job that leaves nothing undone.
INSERT INTO stripe_events (id, kind, payload, state, received_at) VALUES
    ('evt_received', 'checkout.session.completed', '{}', 'received', t(5)), ('evt_parked', 'refund.updated', '{}', 'parked', t(5)),
    ('evt_applied', 'checkout.session.completed', '{}', 'applied', t(5)), ('evt_unreadable', 'x', '{', 'unreadable', t(5));
SELECT job('apply_event', 'event', 'evt_received'), job('apply_event', 'event', 'evt_parked'), job('purge', 'none', '', 'dead'),
       mail('verify_email', 'verify:quin', 'ada', '{}', 'queued'), mail('verify_email', 'verify:rob', 'ada', '{}', 'dead');

-- Goods: a box of two teas and a course, bought in a drop, sent, its right given; two of a thing still to be sent.
INSERT INTO pools (id, kind, capacity) VALUES
    (u('tea pool'), 'stock', 10), (u('drop pool'), 'drop', 5), (u('audience pool'), 'audience', 3), (u('code pool'), 'f_code', 1);
INSERT INTO products (id, slug, kind, name_zh, name_en, sees, buys, payment_methods, created_at)
    SELECT u(p || ' product'), p, k, p, p, '{"who": "everyone"}', '{"who": "everyone"}', '{card}', t(0)
    FROM (VALUES ('tea', 'goods'), ('course', 'digital'), ('box', 'bundle')) AS x (p, k);
INSERT INTO variants (id, product_id, sku, position, price_minor, currency, pool_id, created_at) VALUES
    (u('tea'), u('tea product'), 'TEA', 0, 9000, 'CNY', u('tea pool'), t(0)),
    (u('course'), u('course product'), 'COURSE', 0, 9900, 'CNY', NULL, t(0)),
    (u('box'), u('box product'), 'BOX', 0, 25000, 'CNY', NULL, t(0));
INSERT INTO bundle_parts VALUES (u('box'), u('tea'), 2), (u('box'), u('course'), 1);
INSERT INTO stock_moves (id, variant_id, quantity, reason, cause, moved_by, moved_at) VALUES
    (u('move 1'), u('tea'), 12, 'received', '1', 'operator', t(0)), (u('move 2'), u('tea'), -2, 'set_aside', '2', 'operator', t(0));
INSERT INTO drops (id, code, name_zh, name_en, opens_at, closes_at, cap_per_person, created_at)
    VALUES (u('drop'), 'drop', '书盒', 'Box', t(0), t(60), 1, t(0));
INSERT INTO drop_items VALUES (u('drop'), u('box'), u('drop pool'));
INSERT INTO drop_audiences VALUES (u('audience'), u('drop'), '{"who": "everyone"}', t(0), u('audience pool'));
INSERT INTO f_codes (id, drop_id, variant_id, code, pool_id, expires_at, created_at)
    VALUES (u('code'), u('drop'), u('box'), 'CODE', u('code pool'), t(60), t(0));

-- A paid order of goods of the account `name`, with one line.
CREATE FUNCTION sell(name text, article text, in_drop text, many bigint, price bigint, ends text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM account(name);
    INSERT INTO orders (id, number, account_id, state, currency, subtotal_minor, total_minor, due_minor, explanation, email,
                        locale, consents, success_url, cancel_url, hold_minutes, has_membership, ship_to, created_at, paid_at)
        VALUES (u(name || ' order'), 'N-' || name, u(name), ends, 'CNY', many * price, many * price, many * price, '[]',
                name || '@shop.test', 'en', '{}', 'http://shop.test', 'http://shop.test', 15, false, '{}', t(1), t(4));
    INSERT INTO order_lines (id, order_id, position, kind, variant_id, drop_id, title, quantity, unit_price_minor, total_minor,
                             shipped, fulfilled_at)
        VALUES (u(name || ' line'), u(name || ' order'), 0, CASE article WHEN 'box' THEN 'bundle' ELSE 'variant' END, u(article),
                u(in_drop), article, many, price, many * price, CASE ends WHEN 'fulfilled' THEN many ELSE 0 END,
                CASE ends WHEN 'fulfilled' THEN t(6) END);
    INSERT INTO payments (id, order_id, attempt, state, amount_minor, currency, methods, created_at)
        VALUES (u(name || ' payment 1'), u(name || ' order'), 1, 'ready', many * price, 'CNY', '{card}', t(1));
    PERFORM capture(name || ' payment 1'), owe_invoice(name);
    INSERT INTO idempotency_keys (account_id, route, key, body_hash, status, resource, created_at)
        VALUES (u(name), 'POST /v1/orders', name, '\x', 201, u(name || ' order'), t(1));
    PERFORM mail('receipt', 'receipt:' || ext('ord', name || ' order'), name, '{}');
    INSERT INTO shipping_promises (order_id, ship_by, done_at)
        VALUES (u(name || ' order'), t(4) + interval '3 days', CASE ends WHEN 'fulfilled' THEN t(6) END);
END $$;

CREATE FUNCTION take(name text, pool text, many bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO claims (id, pool_id, order_id, line_id, quantity, state, created_at, ended_at)
        VALUES (u(name || ' claim ' || pool), u(pool || ' pool'), u(name || ' order'), u(name || ' line'), many, 'taken', t(1), t(4));
    UPDATE pools SET taken = taken + many WHERE id = u(pool || ' pool');
$$;

SELECT sell('gil', 'box', 'drop', 1, 25000, 'fulfilled'), take('gil', 'tea', 2), take('gil', 'drop', 1), take('gil', 'audience', 1);
INSERT INTO drop_purchases VALUES (u('gil line'), u('drop'), u('gil'), 'gil@shop.test', 1);
INSERT INTO rights (id, account_id, product_id, line_id, starts_at) VALUES
    (u('gil right'), u('gil'), u('course product'), u('gil line'), t(4));
INSERT INTO shipments (id, order_id, carrier, cause, shipped_at) VALUES (u('parcel'), u('gil order'), 'SF', 'parcel', t(6));
INSERT INTO shipment_lines VALUES (u('parcel'), u('gil line'), 1);
SELECT sell('hua', 'tea', NULL, 2, 9000, 'paid'), take('hua', 'tea', 2);

-- Crowdfunded cups: a goal that runs, one that was reached and whose parcel went out, one that was missed and refunded.
INSERT INTO pools (id, kind, capacity) VALUES (u('cup pool'), 'stock', 10);
INSERT INTO products (id, slug, kind, name_zh, name_en, sees, buys, payment_methods, created_at)
    VALUES (u('cup product'), 'cup', 'goods', 'cup', 'cup', '{"who": "everyone"}', '{"who": "everyone"}', '{card}', t(0));
INSERT INTO variants (id, product_id, sku, position, price_minor, currency, pool_id, created_at)
    VALUES (u('cup'), u('cup product'), 'CUP', 0, 4000, 'CNY', u('cup pool'), t(0));
INSERT INTO stock_moves (id, variant_id, quantity, reason, cause, moved_by, moved_at)
    VALUES (u('move cup'), u('cup'), 10, 'received', 'cup', 'operator', t(0));

-- A goal of so many cups, and the one backer `name`, who took one.
CREATE FUNCTION fund(goal text, cups bigint, name text, ends text, decided text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pools (id, kind, capacity) VALUES (u(goal || ' pool'), 'drop', 10);
    INSERT INTO drops (id, code, name_zh, name_en, opens_at, closes_at, created_at)
        VALUES (u(goal), goal, goal, goal, t(0), CASE WHEN decided IS NULL THEN t(90) ELSE t(4) END, t(0));
    INSERT INTO drop_items VALUES (u(goal), u('cup'), u(goal || ' pool'));
    PERFORM sell(name, 'cup', goal, 1, 4000, ends), take(name, 'cup', 1), take(name, goal, 1);
    INSERT INTO drop_goals (drop_id, counts, goal, currency, pledged_units, pledged_minor, backers, outcome, decided_at,
                            decided_units, decided_minor, decided_backers)
        SELECT u(goal), 'units', cups, 'CNY', 1, 4000, 1, decided, at, figure, figure * 4000, figure
        FROM (SELECT CASE WHEN decided IS NOT NULL THEN t(5) END AS at, CASE WHEN decided IS NOT NULL THEN 1 END AS figure) by;
    INSERT INTO pledges (line_id, drop_id, account_id, units, minor, backer_name, concluded_at)
        VALUES (u(name || ' line'), u(goal), u(name), 1, 4000, name, CASE WHEN decided IS NOT NULL THEN t(5) END);
    PERFORM job('decide_goal', 'drop', ext('drop', goal), CASE WHEN decided IS NULL THEN 'queued' ELSE 'done' END, t(91));
END $$;

SELECT fund('running', 5, 'kai', 'paid', NULL), fund('raised', 1, 'ivy', 'fulfilled', 'reached'),
       fund('fallen', 2, 'ned', 'paid', 'missed');
INSERT INTO shipments (id, order_id, carrier, cause, shipped_at) VALUES (u('cup parcel'), u('ivy order'), 'SF', 'cups', t(6));
INSERT INTO shipment_lines VALUES (u('cup parcel'), u('ivy line'), 1);
SELECT refund_line('ned', 4000, 'succeeded', true), move_claims('ned', 'taken', 'released');
UPDATE refunds SET cause = 'goal_missed:' || ext('ord', 'ned order') WHERE id = u('ned refund');
UPDATE pledges SET units = 0, minor = 0 WHERE line_id = u('ned line');
UPDATE drop_goals SET pledged_units = 0, pledged_minor = 0, backers = 0 WHERE drop_id = u('fallen');
-- The line in front of the drop: one left it, one let his offer lapse, one has an offer, one waits.
INSERT INTO waiting_lines VALUES (u('drop'), u('box'), 1, 4);
INSERT INTO pools (id, kind, capacity) VALUES (u('offered code pool'), 'f_code', 1), (u('lapsed code pool'), 'f_code', 0);
SELECT account('lapsed'), account('offered'), account('waiting');
INSERT INTO f_codes (id, drop_id, variant_id, code, pool_id, account_id, is_offer, expires_at, ended_at, created_at)
    SELECT u(x || ' code'), u('drop'), u('box'), upper(x), u(x || ' code pool'), u(x), true, t(60), at, t(0)
    FROM (VALUES ('lapsed', t(60)), ('offered', NULL)) AS v (x, at);
INSERT INTO waiting_entries (id, drop_id, variant_id, account_id, person_key, place, state, f_code_id, joined_at) VALUES
    (u('left entry'), u('drop'), u('box'), u('ada'), 'ada@shop.test', 1, 'left', NULL, t(1)),
    (u('lapsed entry'), u('drop'), u('box'), u('lapsed'), 'lapsed@shop.test', 2, 'lapsed', u('lapsed code'), t(1)),
    (u('offered entry'), u('drop'), u('box'), u('offered'), 'offered@shop.test', 3, 'offered', u('offered code'), t(1)),
    (u('waiting entry'), u('drop'), u('box'), u('waiting'), 'waiting@shop.test', 4, 'waiting', NULL, t(1));
SELECT mail('waiting_list_offer', 'waiting_list_offer:' || ext('wait', x || ' entry'), x, '{}')
    FROM (VALUES ('lapsed'), ('offered')) AS v (x);

-- What drops have sold, and a board: two milestones were reached.
INSERT INTO drop_sales SELECT l.drop_id, o.id, l.quantity, l.total_minor, l.quantity, l.total_minor, o.paid_at
    FROM order_lines l JOIN orders o ON o.id = l.order_id WHERE l.drop_id IS NOT NULL AND o.paid_at IS NOT NULL;
INSERT INTO drop_tallies SELECT drop_id, units, 1, revenue_minor FROM drop_sales;
INSERT INTO drop_boards VALUES (u('drop'), t(0));
INSERT INTO drop_milestones VALUES
    (u('drop'), 'units', 1, t(4)), (u('drop'), 'revenue', 25000, t(4)), (u('drop'), 'revenue', 25001, NULL);

-- A partner's shop with four cups set aside: it sold two of them, and one out of open stock before, which was a mistake.
INSERT INTO channels (id, code, name_zh, name_en, created_at) VALUES (u('partner'), 'partner', 'P', 'P', t(0));
INSERT INTO pools (id, kind, capacity, taken) VALUES (u('partner pool'), 'channel', 4, 2);
INSERT INTO channel_allocations VALUES (u('partner'), u('cup'), u('partner pool'));
UPDATE pools SET capacity = 6 WHERE id = u('cup pool');
INSERT INTO stock_moves (id, variant_id, quantity, reason, cause, moved_by, moved_at)
    VALUES (u('move partner'), u('cup'), -4, 'set_aside', 'partner', 'operator', t(2));
INSERT INTO channel_moves VALUES (u('move partner'), u('partner'));
INSERT INTO channel_sales (id, channel_id, reference, reverses, sold_at, reported_by, created_at) VALUES
    (u('mistake'), u('partner'), '1', NULL, t(1), 'operator', t(1)),
    (u('counter'), u('partner'), '1', u('mistake'), t(2), 'operator', t(2)),
    (u('reported'), u('partner'), '2', NULL, t(3), 'operator', t(3));
INSERT INTO channel_sale_lines VALUES (u('mistake'), u('cup'), u('cup pool'), 1, 4000, 'CNY'),
    (u('counter'), u('cup'), u('cup pool'), -1, -4000, 'CNY'), (u('reported'), u('cup'), u('partner pool'), 2, 7000, 'CNY');
UPDATE shipping_promises SET done_at = t(5) WHERE order_id = u('ned order');

-- To the door and back: of three mugs one came back, is on sale again and paid back; another one is asked for, and two once
-- were. A fourth one was bought and cancelled before it was sent.
INSERT INTO pools (id, kind, capacity) VALUES (u('mug pool'), 'stock', 11);
INSERT INTO products (id, slug, kind, name_zh, name_en, sees, buys, payment_methods, created_at)
    VALUES (u('mug product'), 'mug', 'goods', '杯子', 'Mug', '{"who": "everyone"}', '{"who": "everyone"}', '{card}', t(0));
INSERT INTO variants (id, product_id, sku, position, price_minor, currency, pool_id, created_at)
    VALUES (u('mug'), u('mug product'), 'MUG', 0, 3000, 'CNY', u('mug pool'), t(0));
INSERT INTO stock_moves (id, variant_id, quantity, reason, cause, moved_by, moved_at) VALUES
    (u('mug move 1'), u('mug'), 10, 'received', 'mug 1', 'operator', t(0)),
    (u('mug move 2'), u('mug'), 1, 'returned',
     'return:' || ext('ret', 'ren back') || ':' || ext('line', 'ren line') || ':' || ext('var', 'mug'), 'operator', t(7));
SELECT sell('ren', 'mug', NULL, 3, 3000, 'fulfilled'), take('ren', 'mug', 3), refund_line('ren', 3000, 'succeeded', false);
INSERT INTO shipments (id, order_id, carrier, cause, shipped_at, delivered_at)
    VALUES (u('ren parcel'), u('ren order'), 'SF', 'ren parcel', t(6), t(6));
INSERT INTO shipment_lines VALUES (u('ren parcel'), u('ren line'), 3);
UPDATE refunds SET cause = 'return:' || ext('ret', 'ren back') WHERE id = u('ren refund');
INSERT INTO returns (id, order_id, state, reason, is_late, refund_id, requested_at, decided_at, received_at, ended_at) VALUES
    (u('ren back'), u('ren order'), 'refunded', 'damaged', false, u('ren refund'), t(6), t(6), t(7), t(8)),
    (u('ren asked'), u('ren order'), 'requested', 'changed_mind', false, NULL, t(6), NULL, NULL, NULL),
    (u('ren refused'), u('ren order'), 'rejected', 'other', false, NULL, t(6), t(7), NULL, t(7));
INSERT INTO return_lines (return_id, line_id, quantity, restocked, refunded_minor) VALUES
    (u('ren back'), u('ren line'), 1, 1, 3000), (u('ren asked'), u('ren line'), 1, 0, 0), (u('ren refused'), u('ren line'), 2, 0, 0);
UPDATE order_lines SET returned = 2 WHERE id = u('ren line');
SELECT mail('return_approved', 'return:' || ext('ret', 'ren back') || ':approved', 'ren', '{}'),
       mail('return_rejected', 'return:' || ext('ret', 'ren refused') || ':rejected', 'ren', '{}');
INSERT INTO idempotency_keys (account_id, route, key, body_hash, status, resource, created_at)
    VALUES (u('ren'), 'POST /v1/orders/{id}/returns', 'ren', '\x', 201, u('ren asked'), t(6));
SELECT sell('sun', 'mug', NULL, 1, 3000, 'paid'), take('sun', 'mug', 1), refund_line('sun', 3000, 'queued', false),
       move_claims('sun', 'taken', 'released');
INSERT INTO order_cancellations VALUES (u('sun order'), u('sun refund'), t(5));
UPDATE refunds SET cause = 'cancelled:' || ext('ord', 'sun order') WHERE id = u('sun refund');
UPDATE mails SET kind = 'order_cancelled' WHERE cause = 'refund:' || ext('ref', 'sun refund');
UPDATE shipping_promises SET done_at = t(5) WHERE order_id = u('sun order');
UPDATE order_lines SET restocked_at = t(5) WHERE id IN (u('oda line'), u('ned line'), u('sun line'));
INSERT INTO list_prices SELECT u(sku), id, price_minor, t(0) FROM variants;
-- Two saucers, one of which came for nothing with a box.
INSERT INTO pools (id, kind, capacity) VALUES (u('saucer pool'), 'stock', 5);
INSERT INTO products (id, slug, kind, name_zh, name_en, sees, buys, payment_methods, created_at)
    VALUES (u('saucer product'), 'saucer', 'goods', 'saucer', 'saucer', '{"who": "everyone"}', '{"who": "everyone"}', '{card}', t(0));
INSERT INTO variants (id, product_id, sku, position, price_minor, currency, pool_id, created_at)
    VALUES (u('saucer'), u('saucer product'), 'SAUCER', 0, 3000, 'CNY', u('saucer pool'), t(0));
INSERT INTO list_prices VALUES (u('saucer price'), u('saucer'), 3000, t(0));
INSERT INTO stock_moves (id, variant_id, quantity, reason, cause, moved_by, moved_at)
    VALUES (u('move saucer'), u('saucer'), 5, 'received', 'saucer', 'operator', t(0));
INSERT INTO offers (id, code, kind, name_zh, name_en, buyers, buy_variant_id, get_variant_id, created_at)
    VALUES (u('offer'), 'offer', 'gift', 'saucer', 'saucer', '{"who": "everyone"}', u('box'), u('saucer'), t(0));
SELECT sell('ian', 'saucer', NULL, 2, 3000, 'paid'), take('ian', 'saucer', 2);
UPDATE order_lines SET discount_minor = 3000, total_minor = 3000 WHERE order_id = u('ian order');
UPDATE orders SET discount_minor = 3000, total_minor = 3000, due_minor = 3000 WHERE id = u('ian order');
UPDATE payments SET amount_minor = 3000, captured_minor = 3000 WHERE order_id = u('ian order');
INSERT INTO line_offers VALUES (u('ian line'), u('offer'), 1, 3000);

-- Announced, and waited for.
INSERT INTO products (id, slug, kind, name_zh, name_en, sees, buys, payment_methods, created_at, available_from)
    VALUES (u('teaser product'), 'teaser', 'goods', 'teaser', 'teaser', '{"who": "everyone"}', '{"who": "everyone"}', '{card}', t(0), t(90));
INSERT INTO product_reminders VALUES (u('reminder'), u('teaser product'), u('gil'), t(1));

-- Baskets: open, ordered, a guest's that was merged and one that wasn't.
INSERT INTO baskets (id, account_id, secret_hash, created_at, touched_at, ended_at, order_id, merged_into) VALUES
    (u('open basket'), u('gil'), NULL, t(5), t(5), NULL, NULL, NULL), (u('guests basket'), NULL, '\x00', t(5), t(5), NULL, NULL, NULL),
    (u('ordered basket'), u('hua'), NULL, t(0), t(0), t(1), u('hua order'), NULL),
    (u('merged basket'), NULL, '\x01', t(5), t(5), t(5), NULL, u('open basket'));

-- A guest's order, of a basket that it is named after.
INSERT INTO pools (id, kind, capacity) VALUES (u('kiwi pool'), 'stock', 3);
INSERT INTO products (id, slug, kind, name_zh, name_en, sees, buys, payment_methods, created_at)
    VALUES (u('kiwi product'), 'kiwi', 'goods', 'kiwi', 'kiwi', '{"who": "everyone"}', '{"who": "everyone"}', '{card}', t(0));
INSERT INTO variants (id, product_id, sku, position, price_minor, currency, pool_id, created_at)
    VALUES (u('kiwi'), u('kiwi product'), 'KIWI', 0, 6800, 'CNY', u('kiwi pool'), t(0));
INSERT INTO stock_moves (id, variant_id, quantity, reason, cause, moved_by, moved_at)
    VALUES (u('move 3'), u('kiwi'), 3, 'received', '3', 'operator', t(0));
INSERT INTO list_prices VALUES (u('kiwi price'), u('kiwi'), 6800, t(0));
SELECT sell('luo', 'kiwi', NULL, 1, 6800, 'paid'), take('luo', 'kiwi', 1);
UPDATE accounts SET is_guest = true, email_key = NULL WHERE id = u('luo');
INSERT INTO order_tokens VALUES (u('luo order'), '\x02');
INSERT INTO baskets (id, secret_hash, created_at, touched_at, ended_at, order_id)
    VALUES (u('luo'), '\x03', t(0), t(0), t(1), u('luo order'));

-- Another guest's, which an account has adopted.
SELECT sell('mei', 'kiwi', NULL, 1, 6800, 'paid'), take('mei', 'kiwi', 1), account('ling');
UPDATE accounts SET is_guest = true, email = NULL, email_key = NULL, person_key = NULL WHERE id = u('mei');
INSERT INTO order_tokens VALUES (u('mei order'), '\x05');
INSERT INTO baskets (id, secret_hash, created_at, touched_at, ended_at, order_id)
    VALUES (u('mei'), '\x06', t(0), t(0), t(1), u('mei order'));
INSERT INTO order_adoptions VALUES (u('mei order'), u('mei'), u('ling'), t(6));
UPDATE orders SET account_id = u('ling') WHERE id = u('mei order');
UPDATE mails SET account_id = u('ling') WHERE account_id = u('mei');

-- Issued: two invoices; one with its credit note; one with a note whose refund was taken back, and the correction. The
-- others are still to be issued.
CREATE FUNCTION issue(name text, as_kind text, about text, amount bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    next bigint;
    of_refund uuid := CASE WHEN as_kind <> 'invoice' THEN u(name || ' refund') END;
BEGIN
    UPDATE invoice_counters SET year = 2026, last = last + 1 WHERE kind = as_kind RETURNING last INTO next;
    INSERT INTO invoices (id, kind, number, year, sequence, order_id, refund_id, about_id, currency, locale, total_minor,
                          tax_minor, content, issued_at)
        VALUES (u(name || ' ' || as_kind), as_kind,
                CASE as_kind WHEN 'invoice' THEN '' WHEN 'credit_note' THEN 'CN-' ELSE 'CI-' END || '2026-' || lpad(next::text, 6, '0'),
                2026, next, u(name || ' order'), of_refund, u(name || ' ' || about), 'CNY', 'en', amount, 0,
                jsonb_build_object('shipping_minor', 0, 'lines', jsonb_build_array(jsonb_build_object('total_minor', amount))), t(7));
    DELETE FROM invoices_due WHERE kind = as_kind AND order_id = u(name || ' order') AND refund_id IS NOT DISTINCT FROM of_refund;
END $$;

SELECT issue('ada', 'invoice', NULL, 20000), issue('oda', 'invoice', NULL, 20000), issue('lea', 'invoice', NULL, 20000);
SELECT issue('oda', 'credit_note', 'invoice', 20000);
SELECT refund('lea', 'lea payment 1', 500, 'failed');
SELECT issue('lea', 'credit_note', 'invoice', 500), issue('lea', 'correction', 'credit_note', 500);

-- A buyer withdraws; another one was refunded for it.
INSERT INTO withdrawals (id, order_id, state, name, declared_at, token_hash, ended_at, reason, refund_id) VALUES
    (u('hua withdrawal'), u('hua order'), 'open', 'Hua', t(8), '\x01', NULL, NULL, NULL),
    (u('oda withdrawal'), u('oda order'), 'accepted', NULL, t(5), '\x02', t(6), 'in time', u('oda refund'));
SELECT mail('withdrawal_received', 'withdrawal:' || ext('wdr', name || ' withdrawal') || ':received', name, '{"token": "scrubbed"}')
FROM (VALUES ('hua'), ('oda')) AS x (name);

-- A campaign for memberships with a limit of uses, of a day and of a budget: a use that waits, one that was released, and a
-- shared code beside those of an issue.
INSERT INTO pools (id, kind, capacity, held) VALUES
    (u('campaign pool'), 'coupon', 10, 1), (u('campaign day'), 'coupon_day', 5, 1), (u('campaign budget'), 'coupon_budget', 9000, 1000);
INSERT INTO coupon_campaigns (id, code, name_zh, name_en, class, benefit, scope, conditions, combines_with, priority, automatic,
                              per_person, per_order, per_day, pool_id, budget_pool_id, created_at)
    VALUES (u('campaign'), 'spring', '春', 'Spring', 'membership', '{}', '{}', '{}', '{}', 0, false, 1, 1, 5,
            u('campaign pool'), u('campaign budget'), t(0));
INSERT INTO coupon_days VALUES (u('campaign'), '2026-11-22', u('campaign day'));
INSERT INTO coupon_issues (id, campaign_id, quantity, made, prefix, length, created_by, created_at, ended_at)
    VALUES (u('issue'), u('campaign'), 2, 2, '', 12, 'operator', t(0), t(0));
INSERT INTO coupons (id, campaign_id, code, is_shared, issue_id, created_at) VALUES
    (u('coupon 1'), u('campaign'), 'ONE', false, u('issue'), t(0)), (u('coupon 2'), u('campaign'), 'TWO', false, u('issue'), t(0)),
    (u('shared coupon'), u('campaign'), 'SPRING', true, NULL, t(0));

CREATE FUNCTION use_coupon(name text, coupon text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO coupon_uses (id, campaign_id, coupon_id, is_single, order_id, account_id, person_key, day, discount_minor,
                             shipping_minor, created_at)
        VALUES (u(name || ' use'), u('campaign'), u(coupon), true, u(name || ' order'), u(name), name || '@shop.test', '2026-11-22',
                1000, 0, t(1));
    INSERT INTO line_coupons VALUES (u(name || ' line'), u(name || ' use'), 1000);
    UPDATE order_lines SET discount_minor = 1000, total_minor = 19000 WHERE order_id = u(name || ' order');
    UPDATE orders SET discount_minor = 1000, total_minor = 19000, due_minor = 19000 WHERE id = u(name || ' order');
    UPDATE payments SET amount_minor = 19000 WHERE order_id = u(name || ' order');
    INSERT INTO claims (id, pool_id, order_id, quantity, state, created_at)
        SELECT u(name || ' claim ' || p), u(p), u(name || ' order'), CASE p WHEN 'campaign budget' THEN 1000 ELSE 1 END, 'held', t(1)
        FROM unnest(ARRAY['campaign pool', 'campaign day', 'campaign budget']) AS p
$$;

SELECT place('cora', 'regular plan', NULL, NULL, 20000), use_coupon('cora', 'coupon 1');
UPDATE claims SET state = 'released', ended_at = t(2) WHERE order_id = u('cora order');
UPDATE coupon_uses SET released_at = t(2) WHERE id = u('cora use');
UPDATE orders SET state = 'cancelled', closed_at = t(2) WHERE id = u('cora order');
UPDATE payments SET state = 'expired', ended_at = t(2) WHERE order_id = u('cora order');
UPDATE jobs SET state = 'done', finished_at = t(2) WHERE payload = jsonb_build_object('payment', ext('pay', 'cora payment 1'));
SELECT place('cara', 'regular plan', NULL, NULL, 20000), use_coupon('cara', 'coupon 1');

-- Given out to whoever came first: one, in one round.
INSERT INTO pools (id, kind, capacity, taken) VALUES (u('round pool'), 'give_out', 5, 1);
INSERT INTO claim_codes VALUES ('rush', 'give_out');
INSERT INTO give_outs (id, code, campaign_id, audience, starts_at, ends_at, per_round, per_person, created_at)
    VALUES (u('give-out'), 'rush', u('campaign'), '{"who": "signed_in"}', t(0), t(60), 5, 1, t(0));
INSERT INTO give_out_rounds VALUES (u('give-out'), t(0), u('round pool'));
INSERT INTO coupons (id, campaign_id, code, is_shared, account_id, created_at)
    VALUES (u('given coupon'), u('campaign'), 'GIVEN', false, u('ada'), t(1));
INSERT INTO give_out_claims (id, give_out_id, round_at, account_id, person_key, nth, coupon_id, created_at)
    VALUES (u('taken'), u('give-out'), t(0), u('ada'), 'ada@shop.test', 1, u('given coupon'), t(1));

-- Given on an occasion, and to a segment.
INSERT INTO pools (id, kind, capacity, taken) VALUES (u('occasion pool'), 'occasion', 5, 1);
INSERT INTO occasions (id, event, campaign_id, pool_id, starts_at, created_at)
    VALUES (u('occasion'), 'birthday', u('campaign'), u('occasion pool'), t(0), t(0));
INSERT INTO segments (id, code, name, kind, created_at) VALUES (u('segment'), 'readers', 'Readers', 'list', t(0));
INSERT INTO coupons (id, campaign_id, code, is_shared, account_id, created_at) VALUES
    (u('birthday coupon'), u('campaign'), 'BIRTHDAY', false, u('ada'), t(1)), (u('mailed coupon'), u('campaign'), 'MAILED', false, u('ada'), t(1));
INSERT INTO occasion_grants (id, occasion_id, account_id, person_key, cause, period, coupon_id, created_at)
    VALUES (u('granted'), u('occasion'), u('ada'), 'ada@shop.test', 'birthday:2026:' || ext('acc', 'ada'), '2026', u('birthday coupon'), t(1));
INSERT INTO coupon_mailings (id, campaign_id, segment_id, accounts, given, mailed, before, created_by, created_at, ended_at)
    VALUES (u('mailing'), u('campaign'), u('segment'), 1, 1, 0, u('ada'), 'operator', t(0), t(1));
INSERT INTO coupon_mailing_accounts VALUES (u('mailing'), u('ada'), u('mailed coupon'));

-- Benefits of a tier: a coupon that ada claimed, a meal that was entered for her, and one that never runs out.
INSERT INTO coupons (id, campaign_id, code, is_shared, account_id, created_at)
    VALUES (u('perk coupon'), u('campaign'), 'PERK', false, u('ada'), t(6));
INSERT INTO benefits (id, tier_id, kind, gives, name_zh, name_en, every, allowed, campaign_id, value_minor, in_trial, created_at) VALUES
    (u('coupon benefit'), u('regular tier'), 'monthly_coupon', 'coupon', '券', 'Coupon', 'P1M', 1, u('campaign'), NULL, false, t(0)),
    (u('meal benefit'), u('regular tier'), 'free_meals', 'service', '霸王餐', 'Meals', 'P1Y', 2, NULL, 5000, true, t(0)),
    (u('parcel benefit'), u('regular tier'), 'parcels', 'free_shipping', '包邮', 'Parcels', NULL, NULL, NULL, NULL, false, t(0));
INSERT INTO benefit_uses (id, benefit_id, account_id, membership_id, person_key, is_once, nth, ordinal, allowed, coupon_id,
                          worth_minor, created_at) VALUES
    (u('coupon use'), u('coupon benefit'), u('ada'), u('ada membership'), 'ada@shop.test', false, 0, 1, 1, u('perk coupon'), 0, t(6)),
    (u('meal use'), u('meal benefit'), u('ada'), u('ada membership'), 'ada@shop.test', false, 0, 1, 2, NULL, 5000, t(6));

-- A game that two played: a prize each, of which there is one; the second play's was out.
INSERT INTO claim_codes VALUES ('wheel', 'game');
INSERT INTO pools (id, kind, capacity, taken) VALUES (u('prize pool'), 'prize', 1, 1);
INSERT INTO games (id, code, name_zh, name_en, audience, starts_at, ends_at, plays_a_day, plays_in_all, when_out, seed, plays, created_at)
    VALUES (u('game'), 'wheel', '转盘', 'Wheel', '{"who": "signed_in"}', t(0), t(60), 1, 1, 'nothing', decode(repeat('00', 32), 'hex'), 2, t(0));
INSERT INTO game_prizes (id, game_id, position, name_zh, name_en, kind, campaign_id, weight, pool_id)
    VALUES (u('prize'), u('game'), 0, '券', 'Coupon', 'coupon', u('campaign'), 1, u('prize pool'));
INSERT INTO coupons (id, campaign_id, code, is_shared, account_id, created_at)
    VALUES (u('won coupon'), u('campaign'), 'WON', false, u('ada'), t(1));
INSERT INTO game_plays (id, game_id, number, account_id, person_key, day, nth_of_day, nth, drawn_id, prize_id, coupon_id, created_at) VALUES
    (u('play 1'), u('game'), 1, u('ada'), 'ada@shop.test', '2026-11-22', 1, 1, u('prize'), u('prize'), u('won coupon'), t(1)),
    (u('play 2'), u('game'), 2, u('bob'), 'bob@shop.test', '2026-11-22', 1, 1, u('prize'), NULL, NULL, t(2));

-- A packet of a member's for two, one of which was opened before it ended; and a chain: a link that was opened, and the next
-- one, started by who opened it.
CREATE FUNCTION entry(account text, of_cause text, amount bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO credit_balances (account_id) VALUES (u(account)) ON CONFLICT DO NOTHING;
    INSERT INTO credit_entries (id, account_id, kind, cause, amount_minor, created_at)
        VALUES (u(of_cause), u(account), CASE WHEN of_cause LIKE 'packet:%' THEN 'packet' ELSE 'operator' END, of_cause, amount, t(1));
    UPDATE credit_balances SET balance_minor = balance_minor + amount WHERE account_id = u(account);
$$;
INSERT INTO claim_codes VALUES ('members', 'packet'), ('year', 'chain'), ('first', 'packet'), ('second', 'packet');
INSERT INTO pools (id, kind, capacity, taken) VALUES (u('members pool'), 'packet', 2, 1), (u('first pool'), 'packet', 2, 1),
    (u('second pool'), 'packet', 2, 0), (u('links pool'), 'chain_links', 5, 2), (u('chain budget'), 'chain_budget', 1000, 400);
INSERT INTO chains (id, code, name_zh, name_en, audience, starts_at, ends_at, amount_minor, parts, split, packet_hours,
                    links_pool_id, budget_pool_id, created_at)
    VALUES (u('chain'), 'year', '接龙', 'Chain', '{"who": "signed_in"}', t(0), t(600), 200, 2, 'equal', 24,
            u('links pool'), u('chain budget'), t(0));
INSERT INTO packets (id, code, account_id, chain_id, link, parent_id, audience, greeting, amount_minor, parts, split, seed, pool_id,
                     created_at, ends_at, ended_at, returned_minor)
    SELECT u(code || ' packet'), code, u(maker), u(chain), link, u(parent), '{"who": "signed_in"}', '', 200, 2, 'equal',
           decode(repeat('00', 32), 'hex'), u(code || ' pool'), t(0), t(600), CASE WHEN maker IS NOT NULL THEN t(5) END, back
    FROM (VALUES ('members', 'ada', NULL, NULL::integer, NULL, 100::bigint), ('first', NULL, 'chain', 1, NULL, NULL),
                 ('second', NULL, 'chain', 2, 'first packet', NULL)) AS x (code, maker, chain, link, parent, back);
INSERT INTO packet_parts (packet_id, position, amount_minor)
    SELECT u(code || ' packet'), position, 100 FROM unnest(ARRAY['members', 'first', 'second']) AS code, generate_series(0, 1) AS position;
UPDATE packet_parts SET account_id = u('bob'), person_key = 'bob@shop.test', opened_at = t(1)
    WHERE position = 0 AND packet_id <> u('second packet');
SELECT job('end_packet', 'packet', ext('pkt', code || ' packet'), 'queued', t(600)) FROM unnest(ARRAY['first', 'second']) AS code;
INSERT INTO chain_rights (id, chain_id, account_id, packet_id, created_at, started_id, started_at)
    VALUES (u('right'), u('chain'), u('bob'), u('first packet'), t(1), u('second packet'), t(2));
SELECT entry('ada', 'ada funds', 500), entry('ada', 'packet:' || ext('pkt', 'members packet') || ':made', -200),
       entry('ada', 'packet:' || ext('pkt', 'members packet') || ':returned', 100),
       entry('bob', 'packet:' || ext('pkt', 'members packet') || ':0', 100), entry('bob', 'packet:' || ext('pkt', 'first packet') || ':0', 100);
-- Ada has brought two: for Hua both were rewarded, Pia's order may still be sent back.
INSERT INTO invite_codes VALUES ('ADASCODE', u('ada'), t(0));
UPDATE referral_programme SET is_on = true;
UPDATE pools SET held = 1, taken = 1 WHERE kind = 'referral';
UPDATE pools SET taken = 2000 WHERE kind = 'referral_budget';
INSERT INTO pools (id, kind, capacity, held, taken) VALUES
    (u('ada referrals'), 'referral_inviter', 5, 1, 1), (u('ada today'), 'referral_day', 2, 1, 1);
INSERT INTO referral_caps VALUES (u('ada referrals'), u('ada'), NULL), (u('ada today'), u('ada'), '2026-11-22');
INSERT INTO referrals (id, inviter_id, friend_id, person_key, order_id, code, day, basis_minor, minimum_minor, budget_minor,
                       state, signals, created_at, ended_at) VALUES
    (u('hua referral'), u('ada'), u('hua'), 'hua@shop.test', u('hua order'), 'ADASCODE', '2026-11-22', 20000, 0, 2000,
     'rewarded', '{}', t(2), t(9)),
    (u('pia referral'), u('ada'), u('pia'), 'pia@shop.test', u('pia order'), 'ADASCODE', '2026-11-22', 20000, 0, 0,
     'pending', '{}', t(2), NULL);
INSERT INTO coupons (id, campaign_id, code, is_shared, account_id, created_at)
    VALUES (u('referral coupon'), u('campaign'), 'THANKS', false, u('hua'), t(9));
INSERT INTO referral_rewards (referral_id, side, kind, campaign_id, amount_minor, days, state, coupon_id, given_at) VALUES
    (u('hua referral'), 'inviter', 'credit', NULL, 2000, NULL, 'given', NULL, t(9)),
    (u('hua referral'), 'friend', 'coupon', u('campaign'), NULL, NULL, 'given', u('referral coupon'), t(9)),
    (u('pia referral'), 'inviter', 'membership_days', NULL, NULL, 30, 'promised', NULL, NULL);
INSERT INTO credit_entries (id, account_id, kind, cause, amount_minor, created_at)
    VALUES (u('hua reward'), u('ada'), 'referral', 'referral:' || ext('rfr', 'hua referral') || ':inviter', 2000, t(9));
INSERT INTO credit_balances (account_id, balance_minor) VALUES (u('ada'), 2000)
    ON CONFLICT (account_id) DO UPDATE SET balance_minor = credit_balances.balance_minor + 2000;

-- A merchant's treat, given out: a voucher that somebody holds.
INSERT INTO merchants VALUES (u('merchant'), 'noodles', '面馆', 'Noodles', t(0));
INSERT INTO treats (id, code, merchant_id, kind, name_zh, name_en, terms_zh, terms_en, face_minor, created_at)
    VALUES (u('treat'), 'bowl', u('merchant'), 'voucher', '一碗面', 'A bowl', '堂食', 'Eat in', 8800, t(0));
INSERT INTO treat_codes (id, treat_id, merchant_id, code, account_id, person_key, claimed_at, wallet_id, expires_at, created_at)
    VALUES (u('voucher'), u('treat'), u('merchant'), 'B0W1', u('ada'), 'ada@shop.test', t(1), u('wallet'), t(50), t(1));
INSERT INTO claim_codes VALUES ('lunch', 'give_out');
INSERT INTO pools (id, kind, capacity, taken) VALUES (u('lunch pool'), 'give_out', 5, 1);
INSERT INTO give_outs (id, code, treat_id, audience, starts_at, ends_at, per_round, per_person, created_at)
    VALUES (u('lunch'), 'lunch', u('treat'), '{"who": "signed_in"}', t(0), t(60), 5, 1, t(0));
INSERT INTO give_out_rounds VALUES (u('lunch'), t(0), u('lunch pool'));
INSERT INTO give_out_claims (id, give_out_id, round_at, account_id, person_key, nth, treat_code_id, created_at)
    VALUES (u('lunch claim'), u('lunch'), t(0), u('ada'), 'ada@shop.test', 1, u('voucher'), t(1));
-- Store credit: a card that was redeemed, an order of another card that is paid with a part of it, and a card whose day comes.
SELECT place('gia', 'regular plan', NULL, NULL, 20000);
UPDATE order_lines SET kind = 'gift_card', plan_id = NULL WHERE id = u('gia line');
UPDATE orders SET has_membership = false, credit_minor = 5000, due_minor = 15000 WHERE id = u('gia order');
UPDATE payments SET amount_minor = 15000 WHERE order_id = u('gia order');
INSERT INTO gift_cards (id, line_id, account_id, amount_minor, currency, to_email, locale, deliver_at, created_at, activated_at,
                        delivered_at, code_hash, redeemed_at, redeemed_by) VALUES
    (u('gia card'), u('gia line'), u('gia'), 20000, 'CNY', 'gia@shop.test', 'en', t(1), t(1), NULL, NULL, NULL, NULL, NULL),
    (u('given card'), NULL, NULL, 8000, 'CNY', 'gia@shop.test', 'en', t(0), t(0), t(0), t(0), '\x01', t(1), u('gia')),
    (u('coming card'), NULL, NULL, 9000, 'CNY', 'gia@shop.test', 'en', t(90), t(0), t(0), NULL, NULL, NULL, NULL);
SELECT job('deliver_gift_card', 'card', ext('gift', 'coming card'), 'queued', t(90));
INSERT INTO credit_balances VALUES (u('gia'), 3000, 0);
INSERT INTO credit_entries (id, account_id, kind, cause, amount_minor, order_id, created_at) VALUES
    (u('gia redeemed'), u('gia'), 'gift_card', 'gift_card:' || ext('gift', 'given card'), 8000, NULL, t(1)),
    (u('gia paid'), u('gia'), 'order', 'order:' || ext('ord', 'gia order') || ':0', -5000, u('gia order'), t(1));

-- A gift membership that lea has redeemed, and one whose day comes.
SELECT place('gwen', 'regular plan', NULL, NULL, 20000), ready('gwen'), capture('gwen payment 1');
UPDATE order_lines SET kind = 'gift', fulfilled_at = t(4) WHERE id = u('gwen line');
INSERT INTO order_lines (id, order_id, position, kind, plan_id, title, quantity, unit_price_minor, total_minor, fulfilled_at)
    VALUES (u('gwen line 2'), u('gwen order'), 1, 'gift', u('regular plan'), 'A membership', 1, 0, 0, t(4));
UPDATE orders SET has_membership = false, state = 'fulfilled', paid_at = t(4) WHERE id = u('gwen order');
UPDATE jobs SET state = 'done', finished_at = t(4) WHERE payload = jsonb_build_object('order', ext('ord', 'gwen order'));
SELECT owe_invoice('gwen'), mail('receipt', 'receipt:' || ext('ord', 'gwen order'), 'gwen', '{}');
INSERT INTO membership_terms (id, membership_id, account_id, source, tier_id, plan_id, anchor_at, starts_at, ends_at,
                              value_minor, value_from, value_seconds, created_at)
    SELECT u('given term'), membership_id, account_id, 'gift', tier_id, plan_id, ends_at, ends_at, ends_at + interval '365 days',
           0, ends_at, 365 * 86400, t(5)
    FROM membership_terms WHERE id = u('lea term');
UPDATE memberships m SET ends_at = t.ends_at FROM membership_terms t WHERE t.id = u('given term') AND m.id = t.membership_id;
INSERT INTO gifts (id, line_id, account_id, plan_id, term, is_addressed, to_email, locale, deliver_at, created_at, activated_at,
                   delivered_at, code_hash, expires_at, redeemed_at, redeemed_by, term_id) VALUES
    (u('gwen gift'), u('gwen line'), u('gwen'), u('regular plan'), 'P365D', true, 'lea@shop.test', 'en', t(4), t(1), t(4), t(4),
     '\x02', t(900), t(5), u('lea'), u('given term')),
    (u('coming gift'), u('gwen line 2'), u('gwen'), u('regular plan'), 'P365D', false, 'gwen@shop.test', 'en', t(90), t(1), t(4),
     NULL, NULL, t(900), NULL, NULL, NULL);
SELECT job('deliver_gift', 'gift', ext('gmem', 'coming gift'), 'queued', t(90));

-- A trial, behind which nothing stands.
INSERT INTO membership_terms (id, membership_id, account_id, source, tier_id, plan_id, anchor_at, starts_at, ends_at,
                              value_minor, value_from, value_seconds, created_at)
    SELECT u('tried term'), membership_id, account_id, 'trial', tier_id, plan_id, ends_at, ends_at, ends_at + interval '7 days',
           0, ends_at, 7 * 86400, t(5)
    FROM membership_terms WHERE id = u('mia term');
UPDATE memberships m SET ends_at = t.ends_at FROM membership_terms t WHERE t.id = u('tried term') AND m.id = t.membership_id;
INSERT INTO trials (id, account_id, person_key, plan_id, days, term_id, created_at)
    SELECT u('mia trial'), account_id, 'mia@shop.test', plan_id, 7, id, t(5) FROM membership_terms WHERE id = u('tried term');
SELECT job('end_trial', 'trial', ext('trl', 'mia trial'), 'queued', t(5) + interval '1 year');

-- A partner's code has brought three orders, at which jobs look again: one is paid out, of one a quarter went back.
INSERT INTO partners VALUES (u('kol'), 'Kol', 'kol@shop.test', NULL, 1, t(0), NULL);
INSERT INTO pools (id, kind, capacity, taken) VALUES (u('kol pool'), 'partner_code', 10, 3);
INSERT INTO invite_codes VALUES ('K01', NULL, t(0));
INSERT INTO partner_codes VALUES
    (u('kol code'), u('kol'), 'K01', 'KOL', '达人', 'Kol', 1000, NULL, NULL, u('kol pool'), t(0), NULL);
INSERT INTO partner_orders VALUES
    (u('gil order'), u('kol code'), t(5), t(10)), (u('mia order'), u('kol code'), t(5), NULL), (u('nat order'), u('kol code'), t(5), NULL);
INSERT INTO commissions VALUES
    (u('gil earned'), u('kol'), u('gil order'), 0, 'earned', NULL, 25000, 1000, 2500, t(5)),
    (u('mia earned'), u('kol'), u('mia order'), 0, 'earned', NULL, 20000, 1000, 2000, t(5)),
    (u('mia reversed'), u('kol'), u('mia order'), 1, 'reversed', 'refund', 5000, 1000, -500, t(6)),
    (u('nat earned'), u('kol'), u('nat order'), 0, 'earned', NULL, 20000, 1000, 2000, t(5));
SELECT job('follow_invite', 'order', ext('ord', name || ' order')) FROM unnest(ARRAY['gil', 'mia', 'nat']) AS name;
INSERT INTO partner_payouts VALUES (u('kol payout'), u('kol'), 2500, 1, t(11));
INSERT INTO partner_payout_entries VALUES (u('gil earned'), u('kol payout'));

-- A chapter in a city of a province, to which a member moved and of which he is an organiser; another one applied, was refused
-- and has a number by role; a third one waits.
INSERT INTO areas VALUES (u('henan'), 'henan', '河南', 'Henan', NULL, t(0), 1),
    (u('zhengzhou city'), 'zhengzhou', '郑州', 'Zhengzhou', u('henan'), t(0), 1);
INSERT INTO chapters (id, code, name, prefix, created_at, area_id)
    VALUES (u('zhengzhou'), 'zhengzhou', '郑州', 'ZY', t(0), u('zhengzhou city'));
INSERT INTO number_series (id, code, name_zh, name_en, prefix, role, next_sequence, created_at)
    VALUES (u('teachers'), 'teachers', '老师', 'Teachers', 'LS', 'teacher', 2, t(0));
INSERT INTO number_prefixes VALUES ('ZY', u('zhengzhou'), NULL), ('LS', NULL, u('teachers'));
INSERT INTO series_numbers VALUES ('LS0001', u('teachers'), u('ada'), 1, t(6));
INSERT INTO chapter_moves VALUES (u('bob move'), u('bob'), '00000000-0000-7000-8000-000000000001', u('zhengzhou'), t(7));
UPDATE memberships SET chapter_id = u('zhengzhou') WHERE id = u('bob membership');
INSERT INTO chapter_choices VALUES (u('eve'), u('zhengzhou'), t(7));
INSERT INTO chapter_organisers (id, chapter_id, account_id, state, motive, decided_at, created_at) VALUES
    (u('bob organiser'), u('zhengzhou'), u('bob'), 'approved', '', t(8), t(7)),
    (u('ada organiser'), '00000000-0000-7000-8000-000000000001', u('ada'), 'refused', '', t(8), t(7)),
    (u('waiting organiser'), '00000000-0000-7000-8000-000000000001', u('pia'), 'received', '', NULL, t(7));
SELECT mail('organiser_approved', 'organiser:' || ext('orgn', 'bob organiser') || ':approved', 'bob', '{}'),
       mail('organiser_refused', 'organiser:' || ext('orgn', 'ada organiser') || ':refused', 'ada', '{}');

-- A membership that is renewed by card, and one that is to become something smaller; the coming end of the first is announced.
UPDATE accounts SET stripe_customer_id = 'cus_ada' WHERE id = u('ada');
INSERT INTO renewal_settings (membership_id, account_id, is_on) VALUES (u('ada membership'), u('ada'), true);
INSERT INTO renewals (id, membership_id, account_id, ends_at, plan_id, price_minor, currency, state, charges, created_at)
    SELECT u('ada renewal'), id, account_id, ends_at, plan_id, 20000, 'CNY', 'open', 0, t(8)
    FROM memberships WHERE id = u('ada membership');

-- Rules of the community, accepted with an order; a warning, a suspension that runs, and an expulsion whose money is to go back.
INSERT INTO community_rules VALUES ('2026-11', '规则', 'Rules', 'rest', t(0));
UPDATE orders SET consents = consents || '{"community_rules": "2026-11"}' WHERE id = u('ada order');
INSERT INTO community_acceptances SELECT u('ada'), '2026-11', id, created_at FROM orders WHERE id = u('ada order');
INSERT INTO community_measures
    (id, account_id, membership_id, kind, version, rule, reason, money, back_minor, ends_at, state, created_at, appeal_until) VALUES
    (u('warned'), u('bob'), u('bob membership'), 'warning', '2026-11', '1', '', NULL, NULL, NULL, 'in_force', t(8), t(99)),
    (u('suspended'), u('pia'), u('pia membership'), 'suspension', '2026-11', '1', '', NULL, NULL,
     t(8) + interval '3 days', 'in_force', t(8), t(99));
-- One whom they had expelled, and took back.
INSERT INTO memberships (id, account_id, tier_id, chapter_id, state, starts_at, ends_at, closed_at)
    SELECT u('bob earlier'), account_id, tier_id, chapter_id, 'revoked', t(1), t(59), t(3)
    FROM memberships WHERE id = u('bob membership');
INSERT INTO community_measures
    (id, account_id, membership_id, kind, version, rule, reason, money, back_minor, state, created_at, ended_at, appeal_until)
    VALUES (u('expelled'), u('bob'), u('bob earlier'), 'expulsion', '2026-11', '1', '', 'rest', 70, 'lifted', t(3), t(4), t(99));
INSERT INTO measure_refunds VALUES (u('expelled'), u('bob line'), 70);
UPDATE memberships SET state = 'frozen', frozen_at = t(8), frozen_causes = ARRAY['measure:' || ext('meas', 'suspended')]
    WHERE id = u('pia membership');
SELECT mail('measure_taken', 'measure:' || ext('meas', 'warned') || ':taken', 'bob', '{}'),
       mail('measure_taken', 'measure:' || ext('meas', 'suspended') || ':taken', 'pia', '{}'),
       mail('measure_taken', 'measure:' || ext('meas', 'expelled') || ':taken', 'ada', '{}'),
       job('end_suspension', 'measure', ext('meas', 'suspended'), 'queued', t(8) + interval '3 days'),
       job('refund_expelled', 'measure', ext('meas', 'expelled'));

-- A notice half-way: one mail is queued, one member had left the list, one waits.
INSERT INTO notices (id, subject_zh, subject_en, body_zh, body_en, tier_id, state, send_at, before, collected_at, recipients,
                     queued, skipped, created_at, version)
    VALUES (u('notice'), '聚会', 'Meeting', '周六', 'Saturday', u('regular tier'), 'sending', t(4), u('notice'), t(5), 3, 1, 1, t(3), 2);
INSERT INTO notice_recipients VALUES (u('notice'), u('ada'), 'queued', NULL, '2026-11', t(6)),
    (u('notice'), u('bob'), 'skipped', 'opted_out', NULL, t(6)), (u('notice'), u('pia'), 'waiting', NULL, NULL, NULL);
INSERT INTO mail_opt_outs VALUES (u('bob'), 'notices', t(5));
INSERT INTO notice_months VALUES (u('ada'), '2026-11', 1, 4);
SELECT mail('notice', 'notice:' || ext('ntc', 'notice') || ':' || ext('acc', 'ada'), 'ada',
            jsonb_build_object('notice', ext('ntc', 'notice'))),
       job('send_notice', 'notice', ext('ntc', 'notice'));

-- Who was given a membership for life has an associate, an invitation that is open, and one that was declined.
UPDATE plans SET associate_seats = 3 WHERE id = u('diehard plan');
SELECT account('wim');
INSERT INTO associate_seats VALUES (u('vic membership'), 3, 1, 1);
INSERT INTO associates (id, membership_id, head_id, term_id, account_id, state, email, email_key, token_hash, expires_at, created_at,
                        accepted_at, ended_at) VALUES
    (u('wim seat'), u('vic membership'), u('vic'), u('vic term'), u('wim'), 'active', NULL, NULL, '\x51', t(99), t(6), t(7), NULL),
    (u('open seat'), u('vic membership'), u('vic'), u('vic term'), NULL, 'invited', 'xi@b.org', 'xi@b.org', '\x52', t(99), t(6), NULL, NULL),
    (u('declined seat'), u('vic membership'), u('vic'), u('vic term'), NULL, 'declined', NULL, NULL, '\x53', t(99), t(6), NULL, t(7));
INSERT INTO member_numbers SELECT 'KD' || lpad(next_sequence::text, 4, '0'), u('wim'), id, next_sequence, t(7) FROM chapters WHERE is_default;
UPDATE chapters SET next_sequence = next_sequence + 1 WHERE is_default;
SELECT mail('associate_invitation', 'associate:' || ext('asct', seat) || ':invited', 'vic', '{}')
    FROM unnest(ARRAY['wim seat', 'open seat', 'declined seat']) AS seat;
SELECT mail('associate_joined', 'associate:' || ext('asct', 'wim seat') || ':joined', 'wim', '{}');

-- Points: what ada's order has earned and can be spent, what mia's will, what an operator gave pat and he pays an order with,
-- a check-in on two days, and a voucher that cost some.
UPDATE points_programme SET is_on = true, step_points = 1, step_minor = 1;
SELECT place('pat', 'regular plan', NULL, NULL, 20000);
UPDATE orders SET points = 1000, points_minor = 1000, due_minor = 19000 WHERE id = u('pat order');
UPDATE order_lines SET points_minor = 1000 WHERE id = u('pat line');
UPDATE payments SET amount_minor = 19000 WHERE order_id = u('pat order');
UPDATE order_lines SET points_rate_bp = 100, level_rate_bp = 100 WHERE id IN (u('ada line'), u('mia line'));
UPDATE give_outs SET points = 300 WHERE id = u('lunch');
INSERT INTO points_balances VALUES (u('pat'), 0, 2000, 0), (u('ada'), 0, 750, 0), (u('mia'), 150, 0, 0), (u('bob'), 0, 12, 0);
INSERT INTO points_lots (id, account_id, kind, cause, order_id, points, level_points, pending, active, spent, active_at, created_at) VALUES
    (u('pat lot'), u('pat'), 'operator', 'operator:1', NULL, 3000, 0, 0, 2000, 1000, t(1), t(1)),
    (u('ada gift'), u('ada'), 'operator', 'operator:2', NULL, 800, 0, 0, 500, 300, t(1), t(1)),
    (u('ada lot'), u('ada'), 'order', 'order:' || ext('ord', 'ada order'), u('ada order'), 200, 200, 0, 200, 0, t(5), t(3)),
    (u('mia lot'), u('mia'), 'order', 'order:' || ext('ord', 'mia order'), u('mia order'), 150, 150, 150, 0, 0, NULL, t(3)),
    (u('bob day 1'), u('bob'), 'check_in', 'check_in:' || ext('acc', 'bob') || ':2026-11-21', NULL, 5, 5, 0, 5, 0, t(1), t(1)),
    (u('ada welcome'), u('ada'), 'level', 'level:' || ext('lvl', 'silver') || ':' || ext('acc', 'ada'), NULL, 50, 0, 0, 50, 0, t(3), t(3)),
    (u('bob day 2'), u('bob'), 'check_in', 'check_in:' || ext('acc', 'bob') || ':2026-11-22', NULL, 7, 7, 0, 7, 0, t(2), t(2));
INSERT INTO points_entries (id, account_id, lot_id, kind, cause, pending, active, spent, level, order_id, created_at)
    SELECT u(l.cause), l.account_id, l.id, 'earned', l.cause, CASE WHEN l.order_id IS NULL THEN 0 ELSE l.points END,
           CASE WHEN l.order_id IS NULL THEN l.points ELSE 0 END, 0, CASE WHEN l.order_id IS NULL THEN l.level_points ELSE 0 END,
           l.order_id, t(1) FROM points_lots l;
INSERT INTO points_entries (id, account_id, lot_id, kind, cause, pending, active, spent, level, order_id, created_at) VALUES
    (u('ada matured'), u('ada'), u('ada lot'), 'matured', 'matured:1', -200, 200, 0, 200, u('ada order'), t(5)),
    (u('ada paid'), u('ada'), u('ada gift'), 'spent', 'give_out:' || u('lunch claim'), 0, -300, 300, 0, NULL, t(2)),
    (u('pat paid'), u('pat'), u('pat lot'), 'spent', 'order:' || ext('ord', 'pat order') || ':0', 0, -1000, 1000, 0, u('pat order'), t(2));
INSERT INTO check_ins VALUES (u('bob'), '2026-11-21', 1, 5, t(1)), (u('bob'), '2026-11-22', 2, 7, t(2));
SELECT job('follow_points', 'order', ext('ord', 'mia order'), 'queued', t(90));

-- Levels: ada has earned silver and stands on the ladder, mia gets silver from an operator, bob is to be looked at.
INSERT INTO levels (id, code, rank, name_zh, name_en, enter, review, warn_days, grace_days, drops, welcome_points, created_at) VALUES
    (u('silver'), 'silver', 10, '白银', 'Silver', '{"metric": "spend", "amount": 10000}', 'P1Y', 30, 0, 'to_fit', 50, t(1)),
    (u('gold'), 'gold', 30, '黄金', 'Gold', '{"metric": "spend", "amount": 90000}', 'P1Y', 30, 0, 'to_fit', 0, t(1));
INSERT INTO account_levels (account_id, level_id, since, judged_at, judged_by, due_at, warn_at) VALUES
    (u('ada'), u('silver'), t(3), t(3), 'enter', t(3) + interval '1 year', t(3) + interval '11 months');
INSERT INTO account_levels (account_id, manual_level_id) VALUES (u('mia'), u('silver'));
INSERT INTO level_changes (id, account_id, kind, from_level_id, to_level_id, cause, why, judged_at, created_at) VALUES
    (u('ada raised'), u('ada'), 'raised', NULL, u('silver'), 'raised:ada', '{}', t(3), t(3)),
    (u('mia given'), u('mia'), 'manual', NULL, u('silver'), 'manual:mia', '{}', t(3), t(3));
INSERT INTO account_stages VALUES (u('ada'), '00000000-0000-7000-8000-00000000c001', t(3));
INSERT INTO stage_changes (id, account_id, to_stage_id, why, created_at) VALUES
    (u('ada climbed'), u('ada'), '00000000-0000-7000-8000-00000000c001', '{}', t(3));
INSERT INTO level_looks VALUES (u('bob look'), u('bob'), false, t(2));
INSERT INTO jobs (id, kind, lane, payload, state, run_at, created_at) VALUES (u('look job'), 'follow_levels', 'local', '{}', 'queued', t(90), t(2));
-- An upgrade offer: dan orders by it and waits for the page, and was told of it by mail.
INSERT INTO pools (id, kind, capacity, held) VALUES
    (u('year pool'), 'upgrade_offer', 3, 1), (u('year budget pool'), 'upgrade_budget', 100000, 40000);
INSERT INTO upgrade_offers (id, code, name_zh, name_en, from_tier_id, plan_id, price_minor, criteria, pool_id, budget_pool_id,
                            starts_at, ends_at, mails, created_at)
    VALUES (u('year offer'), 'a-year', '一年', 'A year', u('regular tier'), u('diehard plan'), 80000,
            '{"metric": "tenure", "amount": 365}', u('year pool'), u('year budget pool'), t(0), t(99), true, t(0));
INSERT INTO upgrade_quotes (id, account_id, membership_id, membership_version, plan_id, mode, credit_minor, charge_minor, due_minor,
                            created_at, valid_until, offer_id, discount_minor)
    VALUES (u('dan quote'), u('dan'), u('dan membership'), 1, u('diehard plan'), 'restart', 0, 80000, 80000, t(8), t(23),
            u('year offer'), 40000);
INSERT INTO orders (id, number, account_id, state, currency, subtotal_minor, total_minor, due_minor, explanation,
                    email, locale, consents, success_url, cancel_url, hold_minutes, has_membership, created_at)
    VALUES (u('dan upgrade'), 'N-dan-2', u('dan'), 'pending_payment', 'CNY', 80000, 80000, 80000, '[]', 'dan@shop.test', 'en', '{}',
            'http://shop.test', 'http://shop.test', 15, true, t(9));
INSERT INTO order_lines (id, order_id, position, kind, plan_id, upgrade_quote_id, title, quantity, unit_price_minor, total_minor)
    VALUES (u('dan upgrade line'), u('dan upgrade'), 0, 'upgrade', u('diehard plan'), u('dan quote'), 'An upgrade', 1, 80000, 80000);
INSERT INTO claims (id, pool_id, order_id, line_id, quantity, state, created_at) VALUES
    (u('dan claim year'), u('year pool'), u('dan upgrade'), u('dan upgrade line'), 1, 'held', t(9)),
    (u('dan claim budget'), u('year budget pool'), u('dan upgrade'), u('dan upgrade line'), 40000, 'held', t(9));
INSERT INTO payments (id, order_id, attempt, state, amount_minor, currency, methods, created_at)
    VALUES (u('dan upgrade payment'), u('dan upgrade'), 1, 'preparing', 80000, 'CNY', '{wechat_pay}', t(9));
INSERT INTO idempotency_keys (account_id, route, key, body_hash, status, resource, created_at)
    VALUES (u('dan'), 'POST /v1/orders', 'dan upgrade', '\x', 201, u('dan upgrade'), t(9));
SELECT job('open_checkout', 'payment', ext('pay', 'dan upgrade payment'));
INSERT INTO upgrade_offer_uses (id, offer_id, account_id, person_key, order_id, line_id, discount_minor, created_at)
    VALUES (u('dan use'), u('year offer'), u('dan'), 'dan@shop.test', u('dan upgrade'), u('dan upgrade line'), 40000, t(9));
INSERT INTO upgrade_offer_tellings VALUES (u('year offer'), u('dan'), t(7));
SELECT mail('upgrade_offer', 'upgrade_offer:' || ext('uof', 'year offer') || ':' || ext('acc', 'dan'), 'dan', '{}');
