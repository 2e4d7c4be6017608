//! Each way to break an invariant, as SQL on the shop of `shop.sql`, with the checks that it breaks.

/// What the offender's report must name: the prefix and the name of its id, or a word.
pub enum Named {
    Id(&'static str, &'static str),
    Word(&'static str),
}

use Named::{Id, Word};

pub struct Breakage {
    /// Exactly these fail; the first one names the offender.
    pub fails: &'static [&'static str],
    pub names: Named,
    pub sql: &'static str,
}

pub const fn breaks(fails: &'static [&'static str], names: Named, sql: &'static str) -> Breakage {
    Breakage { fails, names, sql }
}

pub const BREAKAGES: &[Breakage] = &[
    // Claims.
    breaks(
        &["pools_held"],
        Id("pool", "regular drive pool"),
        "UPDATE pools SET held = held + 1 WHERE id = u('regular drive pool')",
    ),
    breaks(
        &["pools_taken"],
        Id("pool", "invitation pool"),
        "UPDATE pools SET taken = taken - 1 WHERE id = u('invitation pool')",
    ),
    breaks(
        &["pools_within_capacity"],
        Id("pool", "invitation pool"),
        "ALTER TABLE pools DROP CONSTRAINT pools_within_capacity;
         UPDATE pools SET capacity = 1 WHERE id = u('invitation pool')",
    ),
    breaks(
        &["pools_owned"],
        Id("pool", "stray"),
        "INSERT INTO pools (id, kind, capacity) VALUES (u('stray'), 'drive', 1)",
    ),
    breaks(
        &["pools_owned"],
        Id("pool", "invitation pool"),
        "UPDATE pools SET kind = 'drive' WHERE id = u('invitation pool')",
    ),
    breaks(&["drive_releases"], Id("drv", "regular drive"), "DELETE FROM drive_releases WHERE quantity = 20"),
    breaks(
        &["claims_follow_orders"],
        Id("clm", "eve claim regular drive"),
        "SELECT move_claims('eve', 'held', 'taken')",
    ),
    breaks(
        &["claims_follow_orders"],
        Id("clm", "ada claim regular drive"),
        "UPDATE claims SET state = 'held', ended_at = NULL WHERE order_id = u('ada order');
         UPDATE pools SET held = held + 1, taken = taken - 1 WHERE id = u('regular drive pool')",
    ),
    breaks(
        &["claims_follow_orders"],
        Id("clm", "ida claim regular drive"),
        "UPDATE claims SET state = 'held', ended_at = NULL WHERE order_id = u('ida order');
         UPDATE pools SET held = held + 1 WHERE id = u('regular drive pool')",
    ),
    breaks(
        &["claims_follow_orders", "lines_have_claims", "lines_restocked"],
        Id("clm", "oda claim regular drive"),
        "UPDATE refund_lines SET restock = false WHERE line_id = u('oda line')",
    ),
    breaks(
        &["claims_ended"],
        Id("clm", "hal claim regular drive"),
        "UPDATE claims SET ended_at = NULL WHERE order_id = u('hal order')",
    ),
    breaks(
        &["claims_have_lines"],
        Id("clm", "eve claim regular drive"),
        "UPDATE claims SET quantity = 2 WHERE order_id = u('eve order');
         UPDATE pools SET held = held + 1 WHERE id = u('regular drive pool')",
    ),
    breaks(
        &["claims_have_lines"],
        Id("clm", "eve claim regular drive"),
        "UPDATE claims SET order_id = u('gus order') WHERE order_id = u('eve order')",
    ),
    breaks(
        &["claims_have_lines", "lines_have_claims"],
        Id("clm", "eve claim regular drive"),
        "UPDATE claims SET pool_id = u('diehard drive pool') WHERE order_id = u('eve order');
         UPDATE pools SET held = held - 1 WHERE id = u('regular drive pool');
         UPDATE pools SET held = held + 1 WHERE id = u('diehard drive pool')",
    ),
    breaks(
        &["lines_have_claims"],
        Id("line", "finn line"),
        "DELETE FROM claims WHERE order_id = u('finn order') AND pool_id = u('invitation pool');
         UPDATE pools SET held = held - 1 WHERE id = u('invitation pool')",
    ),
    breaks(
        &["claims_have_lines"],
        Id("clm", "hua claim tea"),
        "UPDATE claims SET quantity = 1 WHERE id = u('hua claim tea'); UPDATE pools SET taken = 3 WHERE id = u('tea pool')",
    ),
    breaks(
        &["claims_have_lines"],
        Id("clm", "hua claim audience"),
        "SELECT take('hua', 'audience', 2)",
    ),
    breaks(
        &["lines_have_claims"],
        Id("line", "gil line"),
        "DELETE FROM claims WHERE id = u('gil claim tea'); UPDATE pools SET taken = 2 WHERE id = u('tea pool')",
    ),
    breaks(
        &["pools_owned"],
        Id("pool", "code pool"),
        "UPDATE pools SET kind = 'drop' WHERE id = u('code pool')",
    ),
    // Goods.
    breaks(&["list_prices"], Id("var", "tea"), "UPDATE variants SET price_minor = 8000 WHERE id = u('tea')"),
    breaks(
        &["reminders_of_people"],
        Id("acc", "gil"),
        "UPDATE accounts SET erased_at = t(8) WHERE id = u('gil')",
    ),
    breaks(
        &["announced_stock"],
        Id("var", "tea"),
        "INSERT INTO stock_moves (id, variant_id, quantity, reason, cause, moved_by, moved_at) VALUES
             (u('a'), u('tea'), 3, 'received', 'a', 'operator', t(0)), (u('b'), u('tea'), -3, 'announced', 'b', 'operator', t(0))",
    ),
    breaks(
        &["coupon_discounts", "line_offers"],
        Id("line", "ian line"),
        "UPDATE line_offers SET discount_minor = 3001",
    ),
    breaks(&["line_offers"], Id("line", "ian line"), "UPDATE line_offers SET quantity = 3"),
    breaks(&["line_offers"], Id("line", "ian line"), "UPDATE offers SET get_variant_id = u('cup')"),
    breaks(&["stock_moves"], Id("var", "tea"), "UPDATE pools SET capacity = 11 WHERE id = u('tea pool')"),
    breaks(&["stock_moves"], Id("var", "tea"), "DELETE FROM stock_moves WHERE id = u('move 2')"),
    breaks(
        &["lines_shipped"],
        Id("line", "hua line"),
        "UPDATE order_lines SET shipped = 1 WHERE id = u('hua line')",
    ),
    breaks(
        &["lines_shipped", "shipping_promises"],
        Id("line", "gil line"),
        "UPDATE orders SET ship_to = NULL WHERE id = u('gil order')",
    ),
    breaks(
        &["rights_follow_lines"],
        Id("line", "gil line"),
        "DELETE FROM rights WHERE id = u('gil right')",
    ),
    breaks(
        &["rights_follow_lines"],
        Id("line", "gil line"),
        "UPDATE rights SET account_id = u('hua') WHERE id = u('gil right')",
    ),
    breaks(
        &["rights_follow_lines"],
        Id("line", "gil line"),
        "SELECT refund_line('gil', 25000, 'succeeded', false)",
    ),
    breaks(
        &["drop_purchases"],
        Id("line", "gil line"),
        "UPDATE drop_purchases SET released_at = t(5) WHERE line_id = u('gil line')",
    ),
    breaks(
        &["drop_purchases"],
        Id("line", "gil line"),
        "UPDATE drop_purchases SET quantity = 2 WHERE line_id = u('gil line')",
    ),
    breaks(
        &["lines_fulfilled", "shipping_promises"],
        Id("line", "hua line"),
        "UPDATE order_lines SET fulfilled_at = t(6) WHERE id = u('hua line')",
    ),
    // Waiting lists.
    breaks(
        &["waiting_lines"],
        Id("drop", "drop"),
        "UPDATE waiting_lines SET waiting = 2 WHERE drop_id = u('drop')",
    ),
    breaks(
        &["waiting_lines"],
        Id("drop", "drop"),
        "UPDATE waiting_lines SET last_place = 3 WHERE drop_id = u('drop')",
    ),
    breaks(&["waiting_lines"], Id("drop", "drop"), "DELETE FROM waiting_lines"),
    breaks(
        &["waiting_in_order"],
        Id("wait", "waiting entry"),
        "UPDATE waiting_entries SET place = 5 WHERE id = u('offered entry');
         UPDATE waiting_lines SET last_place = 5",
    ),
    breaks(
        &["waiting_once"],
        Id("wait", "waiting entry"),
        "DROP INDEX waiting_entries_person; UPDATE waiting_entries SET person_key = 'lapsed@shop.test'",
    ),
    breaks(
        &["waiting_offers", "waiting_mails"],
        Id("wait", "waiting entry"),
        "UPDATE waiting_entries SET f_code_id = u('code') WHERE id = u('waiting entry')",
    ),
    breaks(
        &["waiting_offers"],
        Id("wait", "offered entry"),
        "UPDATE f_codes SET account_id = u('ada') WHERE id = u('offered code')",
    ),
    breaks(
        &["waiting_offers"],
        Id("wait", "offered entry"),
        "UPDATE f_codes SET ended_at = t(60) WHERE id = u('offered code')",
    ),
    breaks(
        &["waiting_offers"],
        Id("wait", "lapsed entry"),
        "UPDATE f_codes SET ended_at = NULL WHERE id = u('lapsed code')",
    ),
    breaks(
        &["waiting_offers"],
        Word("is nobody's"),
        "UPDATE f_codes SET account_id = u('ada'), is_offer = true WHERE id = u('code')",
    ),
    breaks(
        &["waiting_mails"],
        Id("wait", "offered entry"),
        "DELETE FROM jobs WHERE payload ->> 'mail' = ext('mail', 'waiting_list_offer:' || ext('wait', 'offered entry'));
         DELETE FROM mails WHERE cause = 'waiting_list_offer:' || ext('wait', 'offered entry')",
    ),
    // Sales of drops.
    breaks(
        &["drop_sales", "drop_tallies", "milestones"],
        Id("ord", "gil order"),
        "DELETE FROM drop_sales WHERE order_id = u('gil order')",
    ),
    breaks(
        &["drop_sales", "milestones"],
        Id("ord", "gil order"),
        "UPDATE drop_sales SET sold_at = t(9) WHERE order_id = u('gil order')",
    ),
    breaks(
        &["drop_sales", "drop_tallies"],
        Id("ord", "gil order"),
        "UPDATE drop_sales SET units = 2 WHERE order_id = u('gil order')",
    ),
    breaks(
        &["drop_tallies"],
        Id("drop", "drop"),
        "UPDATE drop_tallies SET revenue_minor = revenue_minor + 1 WHERE drop_id = u('drop')",
    ),
    breaks(&["drop_tallies"], Id("drop", "drop"), "DELETE FROM drop_tallies"),
    breaks(
        &["drop_tallies"],
        Id("drop", "drop"),
        "UPDATE drop_sales SET revenue_after_minor = 24999 WHERE order_id = u('gil order');
         DELETE FROM drop_milestones WHERE kind = 'revenue'",
    ),
    breaks(&["milestones"], Id("drop", "drop"), "UPDATE drop_milestones SET reached_at = t(5) WHERE amount = 25000"),
    breaks(&["milestones"], Id("drop", "drop"), "UPDATE drop_milestones SET reached_at = NULL WHERE kind = 'units'"),
    breaks(&["milestones"], Id("drop", "drop"), "UPDATE drop_milestones SET reached_at = t(4) WHERE amount = 25001"),
    // To the door and back.
    breaks(
        &["shipping_promises"],
        Id("ord", "hua order"),
        "DELETE FROM shipping_promises WHERE order_id = u('hua order')",
    ),
    breaks(
        &["shipping_promises"],
        Id("ord", "hua order"),
        "UPDATE shipping_promises SET done_at = t(5) WHERE order_id = u('hua order')",
    ),
    breaks(
        &["shipping_promises"],
        Id("ord", "sun order"),
        "UPDATE shipping_promises SET done_at = NULL WHERE order_id = u('sun order')",
    ),
    breaks(
        &["cancellations"],
        Id("ord", "sun order"),
        "UPDATE order_cancellations SET refund_id = NULL WHERE order_id = u('sun order')",
    ),
    breaks(
        &["cancellations"],
        Id("ord", "sun order"),
        "UPDATE claims SET state = 'taken' WHERE order_id = u('sun order');
         UPDATE pools SET taken = taken + 1 WHERE id = u('mug pool')",
    ),
    breaks(
        &["claims_follow_orders", "lines_have_claims", "lines_restocked"],
        Id("clm", "sun claim mug"),
        "DELETE FROM order_cancellations WHERE order_id = u('sun order')",
    ),
    breaks(
        &["lines_restocked"],
        Id("line", "sun line"),
        "UPDATE order_lines SET restocked_at = NULL WHERE id = u('sun line')",
    ),
    breaks(
        &["lines_restocked"],
        Id("line", "ren line"),
        "UPDATE order_lines SET restocked_at = t(5) WHERE id = u('ren line')",
    ),
    breaks(
        &["returned_units"],
        Id("line", "ren line"),
        "UPDATE order_lines SET returned = 1 WHERE id = u('ren line')",
    ),
    breaks(
        &["returned_units"],
        Id("line", "ren line"),
        "ALTER TABLE order_lines DROP CONSTRAINT order_lines_returned;
         UPDATE return_lines SET quantity = 3 WHERE return_id = u('ren asked');
         UPDATE order_lines SET returned = 4 WHERE id = u('ren line')",
    ),
    breaks(
        &["return_states"],
        Id("ret", "ren refused"),
        "ALTER TABLE returns DROP CONSTRAINT returns_ended; UPDATE returns SET ended_at = NULL WHERE id = u('ren refused')",
    ),
    breaks(
        &["return_states"],
        Id("ret", "ren back"),
        "UPDATE returns SET decided_at = NULL WHERE id = u('ren back')",
    ),
    breaks(
        &["return_states"],
        Id("ret", "ren refused"),
        "DELETE FROM return_lines WHERE return_id = u('ren refused')",
    ),
    breaks(
        &["return_refunds"],
        Id("ret", "ren back"),
        "UPDATE return_lines SET refunded_minor = 2999 WHERE return_id = u('ren back')",
    ),
    breaks(
        &["return_refunds"],
        Id("ret", "ren back"),
        "UPDATE refunds SET cause = 'another' WHERE id = u('ren refund')",
    ),
    breaks(
        &["lines_paid_back", "return_refunds"],
        Id("line", "ren line"),
        "UPDATE return_lines SET refunded_minor = 9001 WHERE return_id = u('ren back')",
    ),
    breaks(
        &["returns_in_stock"],
        Word("came back 0, moves 1"),
        "UPDATE return_lines SET restocked = 0, written_off = 1 WHERE return_id = u('ren back')",
    ),
    breaks(
        &["returns_in_stock"],
        Word("came back 1, moves 0"),
        "UPDATE stock_moves SET reason = 'corrected' WHERE id = u('mug move 2')",
    ),
    breaks(
        &["return_mails"],
        Id("ret", "ren refused"),
        "UPDATE mails SET cause = 'another' WHERE kind = 'return_rejected'",
    ),
    breaks(
        &["keys_have_orders"],
        Word("POST /v1/orders/{id}/returns"),
        "UPDATE idempotency_keys SET resource = u('ren order') WHERE route = 'POST /v1/orders/{id}/returns'",
    ),
    // Places.
    breaks(
        &["places_follow_orders"],
        Id("ord", "hal order"),
        "UPDATE series_places SET released_at = NULL WHERE order_id = u('hal order')",
    ),
    breaks(
        &["places_follow_orders"],
        Id("ord", "eve order"),
        "UPDATE series_places SET account_id = u('ida') WHERE order_id = u('eve order')",
    ),
    breaks(
        &["orders_have_places"],
        Id("ord", "eve order"),
        "UPDATE series_places SET released_at = t(3) WHERE order_id = u('eve order')",
    ),
    breaks(
        &["one_place_a_person"],
        Id("ord", "eve order"),
        "DROP INDEX series_places_person;
         UPDATE series_places SET person_key = 'ada@shop.test' WHERE order_id = u('eve order')",
    ),
    breaks(
        &["one_place_a_person"],
        Id("ord", "eve order"),
        "DROP INDEX series_places_account;
         UPDATE orders SET account_id = u('ada') WHERE id = u('eve order');
         UPDATE series_places SET account_id = u('ada') WHERE order_id = u('eve order');
         UPDATE idempotency_keys SET account_id = u('ada') WHERE key = 'eve'",
    ),
    // Orders.
    breaks(
        &["order_totals"],
        Id("ord", "eve order"),
        "ALTER TABLE orders DROP CONSTRAINT orders_total; UPDATE orders SET shipping_minor = 1 WHERE id = u('eve order')",
    ),
    breaks(
        &["order_totals", "points_of_orders"],
        Id("ord", "eve order"),
        "ALTER TABLE orders DROP CONSTRAINT orders_due;
         UPDATE orders SET points = 1, points_minor = 1 WHERE id = u('eve order')",
    ),
    breaks(
        &["order_lines"],
        Id("ord", "eve order"),
        "UPDATE order_lines SET unit_price_minor = unit_price_minor + 1 WHERE id = u('eve line')",
    ),
    breaks(
        &["order_lines"],
        Id("ord", "cleo order"),
        "UPDATE orders SET has_membership = false WHERE id = u('cleo order')",
    ),
    breaks(&["order_lines"], Id("ord", "cleo order"), "DELETE FROM order_lines WHERE id = u('cleo line')"),
    breaks(
        &["one_pending_membership_order"],
        Id("ord", "eve order"),
        "DROP INDEX orders_one_pending_membership;
         UPDATE orders SET account_id = u('cleo') WHERE id = u('eve order');
         UPDATE series_places SET account_id = u('cleo') WHERE order_id = u('eve order');
         UPDATE idempotency_keys SET account_id = u('cleo') WHERE key = 'eve'",
    ),
    breaks(
        &["lines_fulfilled"],
        Id("line", "ada line"),
        "UPDATE order_lines SET fulfilled_at = NULL WHERE id = u('ada line')",
    ),
    breaks(&["orders_have_keys"], Id("ord", "eve order"), "DELETE FROM idempotency_keys WHERE key = 'eve'"),
    breaks(
        &["orders_have_keys"],
        Id("ord", "eve order"),
        "INSERT INTO idempotency_keys SELECT account_id, route, 'again', body_hash, status, resource, created_at
         FROM idempotency_keys WHERE key = 'eve'",
    ),
    breaks(
        &["orders_have_keys"],
        Id("ord", "eve order"),
        "UPDATE idempotency_keys SET resource = u('abe order'), account_id = u('abe') WHERE key = 'eve'",
    ),
    breaks(
        &["keys_have_orders"],
        Word("POST /v1/orders/{id}/cancel"),
        "INSERT INTO idempotency_keys SELECT u('bob'), 'POST /v1/orders/{id}/cancel', key, body_hash, status, resource, created_at
         FROM idempotency_keys WHERE key = 'eve'",
    ),
    // Payments.
    breaks(
        &["orders_are_paid"],
        Id("ord", "ada order"),
        "UPDATE payments SET captured_minor = 19999 WHERE id = u('ada payment 1');
         UPDATE payments SET captured_minor = 20001 WHERE id = u('lea payment 1')",
    ),
    breaks(
        &["orders_are_paid"],
        Id("ord", "cleo order"),
        "DELETE FROM payments WHERE order_id = u('cleo order')",
    ),
    breaks(
        &["orders_are_paid", "captured_is_due"],
        Id("ord", "gus order"),
        "SELECT capture('gus payment 1')",
    ),
    breaks(
        &["captured_is_due", "orders_are_paid", "payment_amounts"],
        Word("CNY (captured"),
        "UPDATE payments SET captured_minor = 0, captured_at = NULL WHERE id = u('ada payment 1')",
    ),
    breaks(
        &["payment_amounts"],
        Id("pay", "eve payment 1"),
        "UPDATE payments SET amount_minor = 1 WHERE id = u('eve payment 1')",
    ),
    breaks(
        &["payment_amounts"],
        Id("pay", "ada payment 1"),
        "UPDATE payments SET state = 'expired' WHERE id = u('ada payment 1')",
    ),
    breaks(
        &["live_payments"],
        Id("ord", "gus order"),
        "DROP INDEX payments_one_live; UPDATE payments SET state = 'preparing' WHERE id = u('gus payment 1')",
    ),
    breaks(
        &["live_payments"],
        Id("ord", "hal order"),
        "UPDATE payments SET state = 'ready' WHERE id = u('hal payment 1')",
    ),
    breaks(
        &["payment_attempts"],
        Id("ord", "gus order"),
        "UPDATE payments SET attempt = 3 WHERE id = u('gus payment 2')",
    ),
    // Refunds.
    breaks(
        &["sent_back_captures"],
        Id("pay", "jan payment 1"),
        "UPDATE refunds SET amount_minor = 19999 WHERE id = u('jan refund')",
    ),
    breaks(
        &["sent_back_captures"],
        Id("pay", "kit payment 1"),
        "DELETE FROM refunds WHERE id = u('kit refund');
         DELETE FROM mails WHERE cause = 'refund:' || ext('ref', 'kit refund')",
    ),
    breaks(
        &["refunds_within_captured"],
        Id("pay", "jan payment 1"),
        "INSERT INTO refunds (id, order_id, payment_id, cause, amount_minor, currency, reason, state, created_at)
         VALUES (u('again'), u('jan order'), u('jan payment 1'), 'again', 1, 'CNY', 'test', 'pending', t(7));
         SELECT mail('refunded', 'refund:' || ext('ref', 'again'), 'jan', '{}')",
    ),
    breaks(
        &["refunds_within_captured"],
        Id("pay", "jan payment 1"),
        "UPDATE refunds SET order_id = u('kit order') WHERE id = u('jan refund')",
    ),
    breaks(
        &["order_refunds"],
        Id("ord", "mia order"),
        "UPDATE orders SET refunded_minor = 6000 WHERE id = u('mia order')",
    ),
    breaks(
        &["order_refunds"],
        Id("ord", "mia order"),
        "UPDATE orders SET state = 'paid' WHERE id = u('mia order')",
    ),
    breaks(
        &["order_refunds", "lines_refunded"],
        Id("ord", "mia order"),
        "UPDATE refunds SET state = 'failed' WHERE id = u('mia refund')",
    ),
    breaks(
        &["refund_lines"],
        Id("ref", "mia refund"),
        "UPDATE refund_lines SET amount_minor = 4000 WHERE refund_id = u('mia refund');
         UPDATE order_lines SET refunded_minor = 4000 WHERE id = u('mia line')",
    ),
    breaks(
        &["refund_lines", "points_earned"],
        Id("ref", "mia refund"),
        "UPDATE refund_lines SET line_id = u('ada line') WHERE refund_id = u('mia refund');
         UPDATE order_lines SET refunded_minor = 0 WHERE id = u('mia line');
         UPDATE order_lines SET refunded_minor = 5000 WHERE id = u('ada line')",
    ),
    breaks(
        &["lines_refunded"],
        Id("line", "mia line"),
        "UPDATE order_lines SET refunded_minor = 4999 WHERE id = u('mia line')",
    ),
    // Invoices.
    breaks(
        &["invoice_numbers"],
        Word("invoice 2026"),
        "UPDATE invoices SET sequence = 4, number = '2026-000004' WHERE id = u('lea invoice');
         UPDATE invoice_counters SET last = 4 WHERE kind = 'invoice'",
    ),
    breaks(
        &["invoice_numbers"],
        Word("correction 2026"),
        "UPDATE invoices SET number = 'CI-2026-000002' WHERE id = u('lea correction')",
    ),
    breaks(
        &["invoice_numbers"],
        Word("credit_note 2026"),
        "UPDATE invoice_counters SET last = 3 WHERE kind = 'credit_note'",
    ),
    breaks(
        &["invoice_numbers"],
        Word("the counter says 5, there is none"),
        "UPDATE invoice_counters SET year = 2027, last = 5 WHERE kind = 'invoice'",
    ),
    breaks(
        &["orders_invoiced"],
        Id("ord", "mia order"),
        "DELETE FROM invoices_due WHERE order_id = u('mia order')",
    ),
    breaks(&["orders_invoiced"], Id("ord", "ada order"), "SELECT owe_invoice('ada')"),
    breaks(&["orders_invoiced"], Id("ord", "eve order"), "SELECT owe_invoice('eve')"),
    breaks(
        &["invoices_as_sold"],
        Id("ivc", "ada invoice"),
        "UPDATE invoices SET tax_minor = 1 WHERE id = u('ada invoice')",
    ),
    breaks(
        &["invoices_as_sold"],
        Id("ivc", "oda credit_note"),
        "UPDATE invoices SET content = jsonb_set(content, '{shipping_minor}', '1') WHERE id = u('oda credit_note')",
    ),
    breaks(
        &["refunds_credited"],
        Id("ref", "nat refund"),
        "DELETE FROM invoices_due WHERE refund_id = u('nat refund')",
    ),
    breaks(
        &["refunds_credited"],
        Id("ref", "lea refund"),
        "DELETE FROM invoices WHERE kind = 'correction'; UPDATE invoice_counters SET last = 0 WHERE kind = 'correction'",
    ),
    breaks(
        &["refunds_credited"],
        Id("ref", "mia refund"),
        "INSERT INTO invoices_due (kind, order_id, refund_id, due_at) VALUES
             ('credit_note', u('mia order'), u('mia refund'), t(6))",
    ),
    breaks(
        &["credit_within_invoices"],
        Id("ivc", "ada invoice"),
        "UPDATE invoices SET about_id = u('ada invoice') WHERE id = u('oda credit_note')",
    ),
    // Withdrawals.
    breaks(
        &["withdrawals_of_paid_orders"],
        Id("wdr", "hua withdrawal"),
        "UPDATE withdrawals SET order_id = u('eve order') WHERE id = u('hua withdrawal')",
    ),
    breaks(
        &["withdrawals_of_paid_orders"],
        Id("wdr", "oda withdrawal"),
        "UPDATE withdrawals SET refund_id = u('nat refund') WHERE id = u('oda withdrawal')",
    ),
    breaks(
        &["withdrawal_mails"],
        Id("wdr", "hua withdrawal"),
        "DELETE FROM mails WHERE cause = 'withdrawal:' || ext('wdr', 'hua withdrawal') || ':received'",
    ),
    // Memberships.
    breaks(
        &["one_open_membership"],
        Id("mem", "second"),
        "DROP INDEX memberships_one_open;
         INSERT INTO memberships (id, account_id, tier_id, chapter_id, state, starts_at)
             SELECT u('second'), account_id, tier_id, chapter_id, 'active', starts_at
             FROM memberships WHERE id = u('ada membership');
         INSERT INTO membership_terms (id, membership_id, account_id, source, tier_id, anchor_at, starts_at, value_minor,
                                       value_from, created_at)
             SELECT u('second'), id, account_id, 'grant', tier_id, t(4), t(4), 0, t(4), t(4)
             FROM memberships WHERE id = u('second')",
    ),
    breaks(
        &["lines_have_terms"],
        Id("line", "ada line"),
        "UPDATE membership_terms SET source = 'grant', line_id = NULL, value_minor = 0 WHERE id = u('ada term')",
    ),
    breaks(
        &["lines_have_terms"],
        Id("line", "eve line"),
        "UPDATE membership_terms SET line_id = u('eve line') WHERE id = u('ada term')",
    ),
    breaks(
        &["terms_have_lines"],
        Id("term", "pia term 2"),
        "UPDATE membership_terms SET value_minor = 1 WHERE id = u('pia term 2')",
    ),
    breaks(
        &["refunded_terms_end"],
        Id("line", "nat line"),
        "UPDATE membership_terms SET ended_at = NULL WHERE id = u('nat term');
         UPDATE memberships SET state = 'active', closed_at = NULL, ends_at = t(4) + interval '1 year'
             WHERE id = u('nat membership')",
    ),
    breaks(
        &["terms_in_membership"],
        Id("term", "pia term 2"),
        "UPDATE membership_terms SET account_id = u('bob') WHERE id = u('pia term 2')",
    ),
    breaks(
        &["terms_in_membership"],
        Id("term", "pia term 2"),
        "UPDATE membership_terms SET tier_id = u('diehard tier') WHERE id = u('pia term 2')",
    ),
    breaks(
        &["terms_in_membership"],
        Id("term", "ada term"),
        "UPDATE memberships SET starts_at = t(5) WHERE id = u('ada membership')",
    ),
    breaks(
        &["terms_in_order"],
        Id("term", "pia term 2"),
        "UPDATE membership_terms SET starts_at = starts_at - interval '1 minute' WHERE id = u('pia term 2')",
    ),
    breaks(
        &["membership_ends"],
        Id("mem", "ada membership"),
        "UPDATE memberships SET ends_at = ends_at - interval '1 day' WHERE id = u('ada membership')",
    ),
    breaks(
        &["membership_ends"],
        Id("mem", "ada membership"),
        "UPDATE memberships SET state = 'revoked', closed_at = t(5) WHERE id = u('ada membership')",
    ),
    breaks(
        &["membership_ends"],
        Id("mem", "bob membership"),
        "UPDATE membership_terms SET ended_at = t(5) WHERE id = u('bob term')",
    ),
    breaks(
        &["term_values"],
        Id("term", "ada term"),
        "UPDATE membership_terms SET value_minor = 20001 WHERE id = u('ada term')",
    ),
    breaks(
        &["term_values"],
        Id("term", "ada term"),
        "UPDATE membership_terms SET value_minor = 19999 WHERE id = u('ada term')",
    ),
    breaks(
        &["term_values"],
        Id("term", "ada term"),
        "UPDATE membership_terms SET value_seconds = value_seconds + 1 WHERE id = u('ada term')",
    ),
    breaks(
        &["term_values"],
        Id("term", "bob term"),
        "UPDATE membership_terms SET value_seconds = 1 WHERE id = u('bob term')",
    ),
    breaks(
        &["term_values"],
        Id("term", "ada term"),
        "UPDATE membership_terms SET value_seconds = value_seconds - 1 WHERE id = u('ada term')",
    ),
    breaks(
        &["own_freezes"],
        Id("mem", "una membership"),
        "UPDATE memberships SET frozen_causes = frozen_causes || '{member}' WHERE id = u('una membership')",
    ),
    breaks(
        &["owed_ends_of_freezes"],
        Id("frz", "una freeze"),
        "UPDATE memberships SET frozen_causes = frozen_causes || '{member}' WHERE id = u('una membership');
         INSERT INTO membership_freezes VALUES (u('una freeze'), u('una membership'), u('una'), t(1), t(30), NULL)",
    ),
    breaks(
        &["upgrades_add_up"],
        Id("term", "ada term"),
        "UPDATE membership_terms SET value_minor = value_minor + 1, credited_minor = 1 WHERE id = u('ada term')",
    ),
    breaks(
        &["freezes_have_causes"],
        Id("mem", "una membership"),
        "UPDATE disputes SET state = 'lost', closed_at = t(7)",
    ),
    // Crowdfunding.
    breaks(
        &["pledges_follow_lines"],
        Id("line", "kai line"),
        "UPDATE pledges SET account_id = u('ivy') WHERE line_id = u('kai line')",
    ),
    breaks(
        &["pledges_follow_lines", "goals_add_up"],
        Id("line", "ned line"),
        "UPDATE pledges SET units = 1 WHERE line_id = u('ned line')",
    ),
    breaks(
        &["goals_add_up"],
        Id("drop", "running"),
        "UPDATE drop_goals SET backers = 2 WHERE drop_id = u('running')",
    ),
    breaks(
        &["goals_decided"],
        Id("drop", "raised"),
        "UPDATE drop_goals SET goal = 2 WHERE drop_id = u('raised')",
    ),
    breaks(
        &["goals_decided"],
        Id("drop", "fallen"),
        "UPDATE drop_goals SET goal = 1 WHERE drop_id = u('fallen')",
    ),
    breaks(
        &["goals_decided"],
        Id("drop", "running"),
        "UPDATE drops SET opens_at = t(0) - interval '7 days', closes_at = t(0) - interval '6 days'
         WHERE id = u('running')",
    ),
    breaks(
        &["missed_goals_refunded", "goals_before_parcels"],
        Id("ord", "ivy order"),
        "UPDATE drop_goals SET outcome = 'missed', decided_units = 0 WHERE drop_id = u('raised')",
    ),
    breaks(
        &["missed_goals_refunded"],
        Id("ord", "kai order"),
        "UPDATE drop_goals SET outcome = 'missed', decided_at = t(90), decided_units = 1, decided_minor = 4000,
             decided_backers = 1 WHERE drop_id = u('running');
         UPDATE orders SET created_at = created_at - interval '81 days' WHERE id = u('kai order');
         SELECT job('conclude_goal', 'drop', ext('drop', 'running'))",
    ),
    breaks(
        &["goals_before_parcels"],
        Id("line", "ivy line"),
        "UPDATE drop_goals SET outcome = NULL, decided_at = NULL, decided_units = NULL, decided_minor = NULL,
             decided_backers = NULL WHERE drop_id = u('raised');
         SELECT job('decide_goal', 'drop', ext('drop', 'raised'))",
    ),
    breaks(&["owed_goals"], Id("drop", "running"), "DELETE FROM jobs WHERE kind = 'decide_goal'"),
    breaks(
        &["owed_conclusions"],
        Id("drop", "raised"),
        "UPDATE pledges SET concluded_at = NULL WHERE line_id = u('ivy line')",
    ),
    // Channels.
    breaks(
        &["channel_allocations"],
        Id("pool", "partner pool"),
        "UPDATE pools SET capacity = 5 WHERE id = u('partner pool')",
    ),
    breaks(
        &["pools_taken"],
        Id("pool", "partner pool"),
        "UPDATE pools SET taken = 3 WHERE id = u('partner pool')",
    ),
    breaks(
        &["pools_within_capacity", "channel_allocations"],
        Id("pool", "partner pool"),
        "ALTER TABLE pools DROP CONSTRAINT pools_within_capacity;
         UPDATE pools SET capacity = 1 WHERE id = u('partner pool')",
    ),
    breaks(&["pools_owned"], Id("pool", "partner pool"), "UPDATE pools SET kind = 'drop' WHERE id = u('partner pool')"),
    breaks(
        &["channel_sales"],
        Id("sale", "counter"),
        "UPDATE channel_sale_lines SET amount_minor = -3999 WHERE sale_id = u('counter')",
    ),
    breaks(
        &["channel_sales"],
        Id("sale", "reported"),
        "UPDATE channel_sales SET channel_id = (SELECT id FROM channels WHERE is_own) WHERE id = u('reported')",
    ),
    breaks(
        &["channel_sales"],
        Id("sale", "reported"),
        "UPDATE channel_sale_lines SET pool_id = u('tea pool') WHERE sale_id = u('reported');
         UPDATE pools SET taken = taken - 2 WHERE id = u('partner pool');
         UPDATE pools SET taken = taken + 2 WHERE id = u('tea pool')",
    ),
    // Baskets.
    breaks(
        &["baskets_end_once", "baskets_ordered"],
        Id("bsk", "ordered basket"),
        "ALTER TABLE baskets DROP CONSTRAINT baskets_end_once;
         UPDATE baskets SET ended_at = NULL WHERE id = u('ordered basket')",
    ),
    breaks(
        &["baskets_end_once"],
        Id("bsk", "open basket"),
        "ALTER TABLE baskets DROP CONSTRAINT baskets_end_once;
         UPDATE baskets SET ended_at = t(6) WHERE id = u('open basket')",
    ),
    breaks(
        &["baskets_end_once"],
        Id("bsk", "merged basket"),
        "UPDATE baskets SET merged_into = u('guests basket') WHERE id = u('merged basket')",
    ),
    breaks(
        &["baskets_ordered"],
        Id("bsk", "ordered basket"),
        "UPDATE baskets SET account_id = u('ada') WHERE id = u('ordered basket')",
    ),
    breaks(
        &["baskets_ordered"],
        Id("bsk", "ordered basket"),
        "UPDATE baskets SET ended_at = t(2) WHERE id = u('ordered basket')",
    ),
    breaks(
        &["baskets_ordered"],
        Id("bsk", "guests basket"),
        "DELETE FROM baskets WHERE id = u('luo');
         UPDATE baskets SET ended_at = t(1), order_id = u('luo order') WHERE id = u('guests basket')",
    ),
    // Guests.
    breaks(&["guests"], Id("acc", "luo"), "DELETE FROM order_tokens WHERE order_id = u('luo order')"),
    breaks(&["guests"], Id("acc", "luo"), "UPDATE accounts SET is_guest = false WHERE id = u('luo')"),
    breaks(
        &["guests"],
        Id("acc", "luo"),
        "INSERT INTO sessions (id, account_id, user_agent, created_at, last_seen_at, expires_at)
             VALUES (u('session'), u('luo'), '', t(2), t(2), t(60))",
    ),
    breaks(
        &["guests"],
        Id("acc", "luo"),
        "ALTER TABLE accounts DROP CONSTRAINT accounts_guests;
         UPDATE accounts SET password_hash = 'x' WHERE id = u('luo')",
    ),
    breaks(&["guests"], Id("acc", "hua"), "INSERT INTO order_tokens VALUES (u('hua order'), '\\x04')"),
    breaks(
        &["guests"],
        Id("acc", "mei"),
        "UPDATE accounts SET person_key = 'mei@shop.test' WHERE id = u('mei')",
    ),
    breaks(
        &["baskets_ordered"],
        Id("bsk", "guests basket"),
        "DELETE FROM baskets WHERE id = u('mei');
         UPDATE baskets SET ended_at = t(1), order_id = u('mei order') WHERE id = u('guests basket')",
    ),
    breaks(
        &["adoptions", "guests"],
        Id("ord", "mei order"),
        "UPDATE orders SET account_id = u('hua') WHERE id = u('mei order')",
    ),
    breaks(
        &["adoptions"],
        Id("ord", "mei order"),
        "UPDATE mails SET account_id = u('mei') WHERE cause = 'receipt:' || ext('ord', 'mei order')",
    ),
    // Numbers.
    breaks(&["member_numbers"], Word("KD0001"), "UPDATE chapters SET next_sequence = 1"),
    breaks(
        &["member_numbers"],
        Word("KD9999"),
        "UPDATE member_numbers SET number = 'KD9999' WHERE account_id = u('ada')",
    ),
    breaks(
        &["member_numbers", "member_number_gaps"],
        Word("its sequence was given twice"),
        "ALTER TABLE member_numbers DROP CONSTRAINT member_numbers_chapter_id_sequence_key;
         UPDATE member_numbers SET sequence = 1 WHERE number = 'KD0002'",
    ),
    breaks(&["member_number_gaps"], Word("KD0012"), "UPDATE chapters SET next_sequence = next_sequence + 1"),
    breaks(
        &["members_have_numbers", "member_number_gaps"],
        Id("acc", "ada"),
        "DELETE FROM member_numbers WHERE account_id = u('ada')",
    ),
    breaks(
        &["members_have_numbers"],
        Id("acc", "eve"),
        "UPDATE chapters SET next_sequence = next_sequence + 1 WHERE is_default;
         INSERT INTO member_numbers SELECT 'KD0012', u('eve'), id, 12, t(5) FROM chapters WHERE is_default",
    ),
    // Mails.
    breaks(
        &["receipts"],
        Word("N-ada"),
        "DELETE FROM mails WHERE cause = 'receipt:' || ext('ord', 'ada order')",
    ),
    breaks(&["receipts"], Word("again"), "SELECT mail('receipt', 'again', 'ada', '{}')"),
    breaks(
        &["receipts"],
        Id("ord", "eve order"),
        "SELECT mail('receipt', 'receipt:' || ext('ord', 'eve order'), 'eve', '{}')",
    ),
    breaks(
        &["welcome_mails"],
        Id("line", "ada line"),
        "DELETE FROM mails WHERE cause = 'welcome:' || ext('line', 'ada line')",
    ),
    breaks(&["welcome_mails"], Word("again"), "SELECT mail('welcome', 'welcome:again', 'ada', '{}')"),
    breaks(
        &["refund_mails"],
        Id("ref", "jan refund"),
        "DELETE FROM mails WHERE cause = 'refund:' || ext('ref', 'jan refund')",
    ),
    breaks(&["refund_mails"], Word("refund:again"), "SELECT mail('refunded', 'refund:again', 'jan', '{}')"),
    breaks(
        &["application_mails"],
        Id("app", "waiting"),
        "DELETE FROM mails WHERE cause = 'application:' || ext('app', 'waiting') || ':received'",
    ),
    breaks(
        &["application_mails"],
        Word(":decided"),
        "UPDATE drive_applications SET state = 'refused', reason = 'no', decided_at = t(9) WHERE id = u('waiting')",
    ),
    breaks(
        &["mail_causes"],
        Id("mail", "verify:quin"),
        "ALTER TABLE mails DROP CONSTRAINT mails_cause; UPDATE mails SET cause = 'verify:rob' WHERE cause = 'verify:quin'",
    ),
    // Work that is owed.
    breaks(
        &["owed_payment_pages"],
        Id("pay", "eve payment 1"),
        "UPDATE jobs SET state = 'done' WHERE payload ->> 'payment' = ext('pay', 'eve payment 1')",
    ),
    breaks(&["owed_ends_of_holds"], Id("ord", "finn order"), "DELETE FROM jobs WHERE kind = 'end_hold'"),
    breaks(&["owed_free_orders"], Id("ord", "cleo order"), "DELETE FROM jobs WHERE kind = 'settle_free'"),
    breaks(
        &["owed_ends_of_holds"],
        Id("ord", "ike order"),
        "DELETE FROM jobs WHERE payload = jsonb_build_object('order', ext('ord', 'ike order'))",
    ),
    breaks(
        &["owed_ends_of_processing"],
        Id("pay", "joy payment 1"),
        "DELETE FROM jobs WHERE kind = 'end_processing'",
    ),
    breaks(&["owed_refunds"], Id("ref", "jan refund"), "DELETE FROM jobs WHERE kind = 'send_refund'"),
    breaks(&["owed_events"], Word("evt_parked"), "DELETE FROM jobs WHERE kind = 'apply_event'"),
    breaks(&["owed_mails"], Id("mail", "verify:quin"), "DELETE FROM jobs WHERE kind = 'send_mail'"),
    breaks(
        &["owed_expiries"],
        Id("mem", "ada membership"),
        "DELETE FROM jobs WHERE kind = 'expire_membership'",
    ),
    breaks(
        &["jobs_dead"],
        Id("ref", "jan refund"),
        "UPDATE jobs SET state = 'dead', lease = NULL WHERE kind = 'send_refund' AND state = 'running'",
    ),
    // The audit log.
    breaks(
        &["audit_chain"],
        Word("2 (was edited)"),
        "ALTER TABLE audit_log DISABLE TRIGGER USER;
         UPDATE audit_log SET reason = 'x' WHERE seq = 2",
    ),
    breaks(
        &["audit_chain"],
        Word("3 (follows 1)"),
        "ALTER TABLE audit_log DISABLE TRIGGER USER;
         DELETE FROM audit_log WHERE seq = 2",
    ),
    breaks(
        &["audit_chain"],
        Word("the last row is 6"),
        "ALTER TABLE audit_log DISABLE TRIGGER USER;
         DELETE FROM audit_log WHERE seq = 7",
    ),
    breaks(&["audit_chain"], Word("head"), "DELETE FROM audit_head"),
    // Coupons.
    breaks(
        &["coupon_claims"],
        Id("ord", "cara order"),
        "UPDATE claims SET quantity = 900 WHERE id = u('cara claim campaign budget');
         UPDATE pools SET held = 900 WHERE id = u('campaign budget')",
    ),
    breaks(
        &["coupon_claims", "coupon_uses_follow_orders"],
        Id("ord", "cara order"),
        "UPDATE coupon_uses SET released_at = t(2) WHERE id = u('cara use')",
    ),
    breaks(
        &["coupon_uses_follow_orders"],
        Id("use", "cora use"),
        "DELETE FROM claims WHERE order_id = u('cora order');
         UPDATE coupon_campaigns SET pool_id = NULL, automatic = true, budget_pool_id = NULL, per_day = NULL;
         DELETE FROM claims WHERE order_id = u('cara order');
         DELETE FROM coupon_days;
         DELETE FROM pools WHERE id IN (u('campaign pool'), u('campaign day'), u('campaign budget'));
         UPDATE coupon_uses SET released_at = NULL, coupon_id = u('coupon 2') WHERE id = u('cora use')",
    ),
    breaks(
        &["coupon_discounts", "coupon_uses_add_up"],
        Id("line", "cara line"),
        "UPDATE line_coupons SET discount_minor = 999 WHERE use_id = u('cara use')",
    ),
    breaks(
        &["coupon_uses_add_up"],
        Id("use", "cora use"),
        "UPDATE coupon_uses SET discount_minor = 900 WHERE id = u('cora use')",
    ),
    breaks(
        &["coupon_limits"],
        Id("camp", "campaign"),
        "INSERT INTO coupon_uses (id, campaign_id, is_single, order_id, account_id, person_key, day, discount_minor,
                                  shipping_minor, created_at)
             SELECT u('again'), campaign_id, false, order_id, account_id, person_key, '2026-11-23', 0, 0, created_at
             FROM coupon_uses WHERE id = u('cara use');
         UPDATE claims SET quantity = 2 WHERE id = u('cara claim campaign pool');
         UPDATE pools SET held = 2 WHERE id = u('campaign pool')",
    ),
    breaks(
        &["coupons_used_once"],
        Id("cpn", "coupon 1"),
        "UPDATE coupons SET account_id = u('ada') WHERE id = u('coupon 1')",
    ),
    breaks(
        &["coupon_issues_made"],
        Id("iss", "issue"),
        "DELETE FROM coupons WHERE id = u('coupon 2')",
    ),
    breaks(
        &["give_outs_taken"],
        Id("give", "give-out"),
        "UPDATE coupons SET account_id = u('bob') WHERE id = u('given coupon')",
    ),
    breaks(
        &["pools_taken"],
        Id("pool", "round pool"),
        "UPDATE pools SET taken = 2 WHERE id = u('round pool')",
    ),
    // Referrals.
    breaks(
        &["pools_held"],
        Id("pool", "ada today"),
        "UPDATE pools SET held = 0 WHERE id = u('ada today')",
    ),
    breaks(&["referral_orders"], Id("rfr", "pia referral"), "DELETE FROM invite_codes WHERE code = 'ADASCODE'"),
    breaks(
        &["referral_orders"],
        Id("rfr", "pia referral"),
        "UPDATE referrals SET friend_id = u('bob') WHERE id = u('pia referral')",
    ),
    breaks(
        &["referral_rewards"],
        Id("rfr", "pia referral"),
        "UPDATE referral_rewards SET state = 'forfeited' WHERE referral_id = u('pia referral')",
    ),
    breaks(
        &["referral_given"],
        Id("rfr", "hua referral"),
        "UPDATE coupons SET account_id = u('bob') WHERE id = u('referral coupon')",
    ),
    breaks(
        &["referral_given"],
        Id("rfr", "hua referral"),
        "UPDATE credit_entries SET cause = 'referral:other' WHERE id = u('hua reward')",
    ),
];
