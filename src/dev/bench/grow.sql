-- Makes of a shop with one member a large one: each row of his is copied so many times. A copy is somebody else's: its ids are
-- other ones, led by their time as all are, and so are its address, its numbers and whatever else no two rows share. What is the
-- shop's own (plans, articles, pools …) stays, and its counters move along.

-- The id that takes an id's place in copy `k` of `copies`.
CREATE FUNCTION pg_temp.other(id uuid, k bigint, copies bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - copies + k), 12, '0')
            || substr(md5(id::text || k), 13))::uuid
$$;

CREATE FUNCTION pg_temp.plain(id uuid) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT replace(id::text, '-', '') $$;

-- Tables with rows of the member, and which those are. Of jobs, whose payload tells whose they are, those that wait long.
CREATE FUNCTION pg_temp.rows_of(member uuid) RETURNS TABLE (tab regclass, which text) LANGUAGE sql AS $$
    SELECT c.oid, CASE
        WHEN c.relname = 'accounts' THEN format('id = %L', member)
        WHEN c.relname = 'jobs' THEN format(
            'state = ''queued'' AND (payload ->> ''membership'' IN '
            '(SELECT ''mem_'' || pg_temp.plain(id) FROM memberships WHERE account_id = %1$L) '
            'OR kind = ''follow_points'' AND payload ->> ''order'' IN '
            '(SELECT ''ord_'' || pg_temp.plain(id) FROM orders WHERE account_id = %1$L))', member)
        WHEN 'account_id' = ANY (has) THEN format('account_id = %L', member)
        WHEN 'order_id' = ANY (has) THEN format('order_id IN (SELECT id FROM orders WHERE account_id = %L)', member)
        WHEN 'payment_id' = ANY (has) THEN format(
            'payment_id IN (SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.account_id = %L)', member)
        END
    FROM pg_class c, LATERAL (SELECT array_agg(attname) AS has FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) a
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
      AND (c.relname IN ('accounts', 'jobs') OR has && '{account_id,order_id,payment_id}')
$$;

-- What a copy has in a column: an expression over the row `r` and the copy's number `k`. `renamed` are the member's ids that
-- the column's values name within a text, `had` says how many rows are copied.
CREATE FUNCTION pg_temp.value(tab regclass, col name, kind text, own uuid[], renamed uuid[], had bigint, copies bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    value text := format('r.%I', col);
    one uuid;
    is_unique boolean := EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = tab AND a.attname = col
                                 WHERE i.indrelid = tab AND i.indisunique AND a.attnum = ANY (i.indkey));
    has_sequence boolean := EXISTS (SELECT FROM pg_attribute WHERE attrelid = tab AND attname = 'sequence');
BEGIN
    IF kind = 'uuid' THEN
        RETURN format('CASE WHEN %1$s = ANY (%2$L::uuid[]) THEN pg_temp.other(%1$s, k, %3$s) ELSE %1$s END', value, own, copies);
    ELSIF col = 'sequence' THEN
        RETURN format('%s + k * %s', value, had);
    ELSIF col = 'number' AND has_sequence THEN
        RETURN format('regexp_replace(%1$s, ''[0-9]+$'', '''') || to_char(r.sequence + k * %2$s, ''FM'' || repeat(''0'', '
                      'greatest(length(substring(%1$s FROM ''[0-9]+$'')), length((r.sequence + k * %2$s)::text))))', value, had);
    ELSIF tab = 'stripe_events'::regclass AND col = 'payload' THEN
        -- Long, and read by nobody.
        RETURN '''''::bytea';
    ELSIF renamed IS NOT NULL THEN
        value := value || '::text';
        FOREACH one IN ARRAY renamed LOOP
            value := format('replace(%s, %L, pg_temp.plain(pg_temp.other(%L, k, %s)))', value, pg_temp.plain(one), one, copies);
        END LOOP;
        RETURN format('(%s)::%s', value, kind);
    ELSIF kind = 'text' AND (is_unique OR col IN ('email', 'to_address', 'person_key') OR col LIKE 'stripe\_%') AND col <> 'kind'
        AND col <> 'route' AND col <> 'series' THEN
        RETURN format('k || ''.'' || %s', value);
    END IF;
    RETURN value;
END $$;

CREATE FUNCTION pg_temp.grow(member uuid, copies bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tab regclass;
    which text;
    own uuid[] := ARRAY[member];
    ids uuid[];
    had bigint;
    names text;
    exprs text;
    col record;
    renamed uuid[];
BEGIN
    FOR tab, which IN SELECT * FROM pg_temp.rows_of(member) LOOP
        IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = tab AND attname = 'id' AND atttypid = 'uuid'::regtype) THEN
            EXECUTE format('SELECT array_agg(id) FROM %s WHERE %s', tab, which) INTO ids;
            own := own || ids;
        END IF;
    END LOOP;
    FOR tab, which IN SELECT * FROM pg_temp.rows_of(member) LOOP
        EXECUTE format('SELECT count(*) FROM %s WHERE %s', tab, which) INTO had;
        CONTINUE WHEN had = 0;
        names := NULL;
        FOR col IN SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            WHERE a.attrelid = tab AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = ''
            ORDER BY a.attnum
        LOOP
            renamed := NULL;
            IF col.typname IN ('text', 'jsonb') THEN
                EXECUTE format('SELECT array_agg(DISTINCT one.own) FROM unnest($1) AS one (own) WHERE EXISTS (SELECT FROM %s r '
                               'WHERE %s AND strpos(r.%I::text, pg_temp.plain(one.own)) > 0)', tab, which, col.attname) INTO renamed USING own;
            END IF;
            exprs := concat_ws(', ', CASE WHEN names IS NOT NULL THEN exprs END,
                               pg_temp.value(tab, col.attname, col.typname, own, renamed, had, copies));
            names := concat_ws(', ', names, quote_ident(col.attname));
        END LOOP;
        EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM generate_series(1, %s) k, (SELECT * FROM %s WHERE %s) r',
                       tab, names, exprs, copies, tab, which);
    END LOOP;
    UPDATE pools p SET held = p.held + copies * c.held, taken = p.taken + copies * c.taken FROM (
        SELECT c.pool_id, coalesce(sum(quantity) FILTER (WHERE c.state = 'held'), 0) AS held,
               coalesce(sum(quantity) FILTER (WHERE c.state = 'taken'), 0) AS taken
        FROM claims c JOIN orders o ON o.id = c.order_id WHERE o.account_id = member GROUP BY c.pool_id) c
        WHERE c.pool_id = p.id;
    UPDATE chapters c SET next_sequence = n.last + 1 FROM (
        SELECT chapter_id, max(sequence) AS last FROM member_numbers GROUP BY chapter_id) n WHERE n.chapter_id = c.id;
    UPDATE invoice_counters c SET last = i.last FROM (
        SELECT kind, year, max(sequence) AS last FROM invoices GROUP BY kind, year) i WHERE (i.kind, i.year) = (c.kind, c.year);
END $$;

-- Unique coupons of an issue that is entered as ended.
CREATE FUNCTION pg_temp.issue(issue uuid) RETURNS void LANGUAGE sql AS $$
    INSERT INTO coupons (id, campaign_id, code, is_shared, issue_id, created_at)
    SELECT pg_temp.other(i.id, k, i.quantity), i.campaign_id, upper(left(md5(i.id::text || k), 16)), false, i.id, i.created_at
    FROM coupon_issues i, generate_series(1, i.quantity) k WHERE i.id = issue
$$;
