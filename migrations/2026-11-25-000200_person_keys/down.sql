-- Of everybody whose address is known. What was hashed of others, who were erased, is nobody's key any more.
DO $$
DECLARE
    of_table text;
BEGIN
    CREATE TEMPORARY TABLE known_people ON COMMIT DROP AS
        SELECT DISTINCT person_key AS hashed,
               CASE WHEN domain IN ('gmail.com', 'googlemail.com')
                    THEN replace(split_part(local, '+', 1), '.', '') || '@gmail.com'
                    ELSE split_part(local, '+', 1) || '@' || domain END AS plain
        FROM (SELECT person_key, regexp_replace(lower(email), '@[^@]*$', '') AS local,
                     substring(lower(email) FROM '[^@]*$') AS domain
              FROM accounts WHERE email IS NOT NULL AND person_key IS NOT NULL) a;
    FOREACH of_table IN ARRAY ARRAY['accounts', 'series_places', 'drop_purchases', 'waiting_entries', 'coupon_uses',
                                    'give_out_claims', 'occasion_grants', 'game_plays', 'packet_parts', 'treat_codes',
                                    'referrals'] LOOP
        EXECUTE format('UPDATE %I t SET person_key = k.plain FROM known_people k WHERE k.hashed = t.person_key', of_table);
    END LOOP;
    UPDATE accounts SET person_key = NULL WHERE erased_at IS NOT NULL;
    DROP TABLE known_people;
END $$;
DROP TABLE person_secret;
