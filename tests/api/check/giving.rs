//! Breakages of what is given out.

use super::breakages::Named::Id;
use super::breakages::{Breakage, breaks};

pub const BREAKAGES: &[Breakage] = &[
    breaks(
        &["occasions_given"],
        Id("occ", "occasion"),
        "UPDATE coupons SET account_id = u('bob') WHERE id = u('birthday coupon')",
    ),
    breaks(
        &["occasions_given"],
        Id("occ", "occasion"),
        "ALTER TABLE occasion_grants DROP CONSTRAINT occasion_grants_cause;
         INSERT INTO coupons (id, campaign_id, code, is_shared, account_id, created_at)
             VALUES (u('second'), u('campaign'), 'SECOND', false, u('bob'), t(1));
         INSERT INTO occasion_grants SELECT u('twice'), occasion_id, u('bob'), 'bob@shop.test', cause, period, u('second'), t(1)
             FROM occasion_grants;
         UPDATE pools SET taken = 2 WHERE id = u('occasion pool')",
    ),
    breaks(
        &["pools_taken"],
        Id("pool", "occasion pool"),
        "UPDATE pools SET taken = 2 WHERE id = u('occasion pool')",
    ),
    breaks(
        &["games_replayed"],
        Id("play", "play 2"),
        "UPDATE pools SET capacity = 2, taken = 2 WHERE id = u('prize pool');
         INSERT INTO coupons (id, campaign_id, code, is_shared, account_id, created_at)
             VALUES (u('more'), u('campaign'), 'MORE', false, u('bob'), t(2));
         INSERT INTO game_plays (id, game_id, number, account_id, person_key, day, nth_of_day, nth, drawn_id, prize_id, coupon_id, created_at)
             VALUES (u('play 3'), u('game'), 3, u('bob'), 'bea@shop.test', '2026-11-22', 1, 1, u('prize'), u('prize'), u('more'), t(2));
         UPDATE games SET plays = 3",
    ),
    breaks(
        &["games_given"],
        Id("game", "game"),
        "UPDATE coupons SET account_id = u('bob') WHERE id = u('won coupon')",
    ),
    breaks(
        &["games_given"],
        Id("game", "game"),
        "ALTER TABLE game_plays DROP CONSTRAINT game_plays_nth, DROP CONSTRAINT game_plays_of_day;
         UPDATE game_plays SET person_key = 'ada@shop.test'",
    ),
    breaks(
        &["packets_exact", "packets_split"],
        Id("pkt", "second packet"),
        "UPDATE packet_parts SET amount_minor = 101 WHERE packet_id = u('second packet') AND position = 1",
    ),
    breaks(
        &["packets_exact", "packets_paid"],
        Id("pkt", "members packet"),
        "UPDATE packets SET returned_minor = 99 WHERE id = u('members packet')",
    ),
    breaks(
        &["packets_split"],
        Id("pkt", "second packet"),
        "UPDATE packet_parts SET amount_minor = amount_minor + 2 * position - 1 WHERE packet_id = u('second packet')",
    ),
    breaks(
        &["packets_end"],
        Id("pkt", "first packet"),
        "DELETE FROM jobs WHERE payload ->> 'packet' = ext('pkt', 'first packet')",
    ),
    breaks(
        &["chain_rights"],
        Id("chain", "chain"),
        "UPDATE chain_rights SET started_id = NULL, started_at = NULL",
    ),
    breaks(&["chain_rights"], Id("chain", "chain"), "DELETE FROM chain_rights"),
    breaks(
        &["pools_taken"],
        Id("pool", "chain budget"),
        "UPDATE pools SET taken = 300 WHERE id = u('chain budget')",
    ),
    breaks(
        &["treat_codes_held"],
        Id("tc", "stray code"),
        "INSERT INTO treat_codes SELECT (r).* FROM (SELECT jsonb_populate_record(h, jsonb_build_object(
             'id', u('stray code'), 'code', 'STRAY', 'wallet_id', u('stray code'))) AS r FROM treat_codes h) x",
    ),
    breaks(
        &["give_outs_taken"],
        Id("give", "lunch"),
        "UPDATE treat_codes SET account_id = u('bob')",
    ),
    breaks(
        &["vouchers_redeemed"],
        Id("tc", "voucher"),
        "INSERT INTO api_keys (id, name, hash, roles, created_by, created_at, merchant_id, outlet)
             VALUES (u('counter'), 'counter', '\\x00', '{counter}', u('ada'), t(0), u('merchant'), 'Here');
         UPDATE treat_codes SET redeemed_at = t(2), outlet = 'Here', redeemed_by = u('counter')",
    ),
    breaks(
        &["coupon_mailings_given"],
        Id("mlg", "mailing"),
        "DELETE FROM coupon_mailing_accounts",
    ),
];
