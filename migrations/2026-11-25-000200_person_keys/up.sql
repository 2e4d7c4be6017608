-- The key of "one a person" becomes a keyed hash (HMAC-SHA-256) of the address behind all its ways of writing. It names
-- nobody, so it may stay when an account is erased: who signs up again isn't new.
CREATE TABLE person_secret (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    secret bytea NOT NULL CHECK (octet_length(secret) = 32)
);
-- Each uuid has 122 bits of the machine's strong random numbers.
INSERT INTO person_secret (secret)
    SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

DO $$
DECLARE
    key bytea := (SELECT secret FROM person_secret);
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
    of_table text;
BEGIN
    FOR at IN 0..31 LOOP
        inner_pad := set_byte(inner_pad, at, get_byte(inner_pad, at) # get_byte(key, at));
        outer_pad := set_byte(outer_pad, at, get_byte(outer_pad, at) # get_byte(key, at));
    END LOOP;
    FOREACH of_table IN ARRAY ARRAY['accounts', 'series_places', 'drop_purchases', 'waiting_entries', 'coupon_uses',
                                    'give_out_claims', 'occasion_grants', 'game_plays', 'packet_parts', 'treat_codes',
                                    'referrals'] LOOP
        -- What stands for who was erased before has no address in it, and stays.
        EXECUTE format('UPDATE %I SET person_key = encode(sha256($2 || sha256($1 || convert_to(person_key, ''UTF8''))), ''hex'')
                        WHERE position(''@'' IN person_key) > 0', of_table)
            USING inner_pad, outer_pad;
    END LOOP;
END $$;
