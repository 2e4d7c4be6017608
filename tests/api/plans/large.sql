-- Makes of the small shop of check/shop.sql a large one: each row of what grows with traffic is copied until its table has
-- `rows` rows. A copy is somebody else's: ids, addresses and codes are other ones, times lie up to 300 days earlier. What is
-- set up by operators (plans, drives, campaigns …) stays as it is, and so do references to it.

CREATE FUNCTION stays() RETURNS name[] LANGUAGE sql IMMUTABLE AS $$ SELECT ARRAY[
    'areas', 'audit_head', 'audit_log', 'benefits', 'bundle_parts', 'catalog_version', 'chains', 'channel_allocations', 'channels',
    'chapters', 'community_rules', 'coupon_campaigns', 'coupon_days', 'coupon_issues', 'coupon_mailings',
    'drive_releases', 'drives', 'drop_audiences', 'drop_boards', 'drop_goals', 'drop_items', 'drop_milestones', 'drop_tallies',
    'drops', 'game_prizes', 'games', 'give_out_rounds', 'give_outs', 'invoice_counters', 'levels', 'list_prices', 'merchants',
    'migration_lock', '__diesel_schema_migrations', 'notices', 'number_prefixes', 'number_series', 'occasions', 'offers', 'partner_codes',
    'partners', 'person_secret', 'plans', 'points_programme', 'products', 'referral_programme', 'segments', 'shop_clock',
    'stages', 'tiers', 'treats', 'upgrade_offers', 'variants', 'waiting_lines',
    -- Queues of what is owed: they are short at any moment.
    'invoices_due', 'level_looks', 'product_reminders']::name[] $$;

-- Another value for copy `k` of a column: an expression of SQL over the row `r`.
CREATE FUNCTION other(tab regclass, col name, kind text, in_key boolean, step double precision) RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
                     WHERE c.contype = 'f' AND c.conrelid = tab AND a.attname = col
                       AND c.confrelid::regclass::text = ANY (stays()::text[])) THEN format('r.%I', col)
        WHEN kind = 'uuid' THEN format('md5(r.%I::text || k)::uuid', col)
        WHEN kind = 'timestamptz' THEN format('r.%I - make_interval(secs => k * %s)', col, step)
        WHEN kind = 'date' THEN format('r.%I - (k * %s / 86400)::integer', col, step)
        WHEN kind = 'bytea' AND in_key THEN format('sha256(r.%I || k::text::bytea)', col)
        WHEN col IN ('kind', 'state', 'route', 'series', 'list', 'side', 'purpose', 'goal') THEN format('r.%I', col)
        WHEN kind = 'text' AND (in_key OR col ~ 'email|address$|_key$|fingerprint|stripe') THEN format('r.%I || ''~'' || k', col)
        WHEN kind = 'int8' AND col IN ('sequence', 'units_after', 'place', 'number', 'seq') THEN format('r.%I + k * 1000', col)
        ELSE format('r.%I', col)
    END
$$;

CREATE FUNCTION multiply(tab regclass, rows bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    had bigint;
    copies bigint;
    made bigint;
    names text;
    exprs text;
    finished text := 'true';
    days double precision := 300;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s', tab) INTO had;
    IF had = 0 THEN RETURN 0; END IF;
    -- What is underway is little.
    IF tab::text IN ('orders', 'payments', 'mails', 'stripe_events', 'jobs') THEN
        finished := $q$r.state NOT IN ('pending_payment', 'preparing', 'ready', 'processing', 'queued', 'running', 'received', 'parked')$q$;
    END IF;
    IF tab::text IN ('associates', 'waiting_entries') THEN
        finished := $q$r.state NOT IN ('invited', 'offered')$q$;
    END IF;
    -- Who speaks for a chapter is one of the few of all who asked.
    IF tab::text = 'chapter_organisers' THEN
        finished := $q$r.state <> 'approved'$q$;
    END IF;
    -- Of what is sold and booked for years, reports read a month.
    IF tab::text IN ('orders', 'payments', 'refunds', 'channel_sales', 'coupons', 'points_entries') THEN
        days := 1000;
    END IF;
    copies := rows / had;
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(other(tab, a.attname, t.typname, EXISTS (
               SELECT FROM pg_index i WHERE i.indrelid = tab AND i.indisunique AND a.attnum = ANY (i.indkey)),
               days * 86400 / copies), ', ' ORDER BY a.attnum)
        INTO names, exprs FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = tab AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
    EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM (SELECT * FROM %s) r, generate_series(1, %s) k '
                   'WHERE %s ON CONFLICT DO NOTHING', tab, names, exprs, tab, copies, finished);
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;
