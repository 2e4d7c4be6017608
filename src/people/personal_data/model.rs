//! Every row that tells of a person: read for the export, made anonymous by erasure. A test erases somebody and looks for
//! traces in every table there is.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Jsonb, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};

use crate::checkout::baskets::model as baskets;
use crate::checkout::{gift_cards, gifts, invoices, portal, withdrawals};
use crate::db::Conn;
use crate::error::Result;
use crate::loyalty::levels;
use crate::membership::{benefits, measures, moves, organisers, renewals};
use crate::messages::lists;
use crate::people::{addresses, segments};
use crate::promotion::{packets, partners, referrals};
use crate::schema::{
    account_tokens, accounts, drive_applications, drive_invitations, f_codes, mails, order_tokens, orders,
    refresh_tokens, returns, series_places, sessions, shipping_promises,
};
use crate::shop::crowdfunding;
use crate::shop::reminders::model as reminders;
use crate::shop::waiting_list;
use crate::types::id::{AccountId, OrderId, ReturnId};

/// The sections of the export. `$1` is the account. Whole rows, so that a new column is in it by itself; left out are
/// hashes of secrets, and `account_id`, which is the same everywhere. In two parts: a function takes 100 arguments at most.
const EXPORT: &str = "
SELECT jsonb_build_object(
  'account', (SELECT to_jsonb(t) - 'password_hash' FROM accounts t WHERE id = $1),
  'sessions', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM sessions t WHERE account_id = $1),
  'mailed_tokens', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'hash' ORDER BY created_at), '[]')
    FROM account_tokens t WHERE account_id = $1),
  'addresses', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM addresses t WHERE account_id = $1),
  'account_tags', (SELECT coalesce(jsonb_agg(tag ORDER BY tag), '[]') FROM account_tags WHERE account_id = $1),
  'segment_accounts', (SELECT coalesce(jsonb_agg(s.code ORDER BY s.code), '[]')
    FROM segment_accounts t JOIN segments s ON s.id = t.segment_id WHERE t.account_id = $1),
  'baskets', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'secret_hash' ORDER BY id), '[]')
    FROM baskets t WHERE account_id = $1 OR id = ANY (ARRAY(SELECT guest_id FROM order_adoptions WHERE account_id = $1))),
  'member_number', (SELECT to_jsonb(t) - 'account_id' FROM member_numbers t WHERE account_id = $1),
  'series_numbers', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY number), '[]')
    FROM series_numbers t WHERE account_id = $1),
  'chapter_choices', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id'), '[]')
    FROM chapter_choices t WHERE account_id = $1),
  'chapter_moves', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM chapter_moves t WHERE account_id = $1),
  'chapter_organisers', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'decided_by' ORDER BY id), '[]')
    FROM chapter_organisers t WHERE account_id = $1),
  'mail_opt_outs', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY list), '[]')
    FROM mail_opt_outs t WHERE account_id = $1),
  'notice_recipients', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY notice_id), '[]')
    FROM notice_recipients t WHERE account_id = $1),
  'notice_months', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY month), '[]')
    FROM notice_months t WHERE account_id = $1),
  'community_acceptances', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY accepted_at), '[]')
    FROM community_acceptances t WHERE account_id = $1),
  'community_measures', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'taken_by' ORDER BY id), '[]')
    FROM community_measures t WHERE account_id = $1),
  'memberships', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM memberships t WHERE account_id = $1),
  'membership_terms', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM membership_terms t WHERE account_id = $1),
  'membership_freezes', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM membership_freezes t WHERE account_id = $1),
  'associates', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'token_hash' ORDER BY id), '[]')
    FROM associates t WHERE account_id = $1 OR head_id = $1
       OR state = 'invited' AND email_key = (SELECT email_key FROM accounts WHERE id = $1)),
  'upgrade_quotes', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM upgrade_quotes t WHERE account_id = $1),
  'drive_applications', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM drive_applications t WHERE account_id = $1),
  'drive_invitations', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.id), '[]')
    FROM drive_invitations t JOIN accounts a ON a.email_key = t.email_key WHERE a.id = $1),
  'series_places', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM series_places t WHERE account_id = $1),
  'drop_purchases', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY line_id), '[]')
    FROM drop_purchases t WHERE account_id = $1),
  'coupons', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM coupons t WHERE account_id = $1),
  'coupon_uses', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM coupon_uses t WHERE account_id = $1),
  'credit_balances', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id'), '[]')
    FROM credit_balances t WHERE account_id = $1),
  'credit_entries', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM credit_entries t WHERE account_id = $1),
  'points_balances', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id'), '[]')
    FROM points_balances t WHERE account_id = $1),
  'points_lots', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM points_lots t WHERE account_id = $1),
  'points_entries', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM points_entries t WHERE account_id = $1),
  'check_ins', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY day), '[]')
    FROM check_ins t WHERE account_id = $1),
  'account_levels', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id'), '[]')
    FROM account_levels t WHERE account_id = $1),
  'level_changes', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM level_changes t WHERE account_id = $1),
  'level_looks', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM level_looks t WHERE account_id = $1),
  'account_stages', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id'), '[]')
    FROM account_stages t WHERE account_id = $1),
  'stage_changes', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM stage_changes t WHERE account_id = $1),
  'gift_cards', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'code_hash' - 'redeemed_by'
        - CASE WHEN account_id = $1 THEN ARRAY[]::text[] ELSE ARRAY['to_email', 'to_name', 'message', 'from_name', 'line_id', 'reason'] END
        ORDER BY id), '[]')
    FROM gift_cards t WHERE account_id = $1 OR redeemed_by = $1),
  'give_out_claims', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM give_out_claims t WHERE account_id = $1),
  'packets', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'seed' ORDER BY id), '[]')
    FROM packets t WHERE account_id = $1),
  'packet_parts', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY packet_id), '[]')
    FROM packet_parts t WHERE account_id = $1),
  'chain_rights', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM chain_rights t WHERE account_id = $1),
  'treat_codes', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM treat_codes t WHERE account_id = $1),
  'game_plays', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM game_plays t WHERE account_id = $1),
  'occasion_grants', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM occasion_grants t WHERE account_id = $1),
  'coupon_mailing_accounts', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY mailing_id), '[]')
    FROM coupon_mailing_accounts t WHERE account_id = $1)
) || jsonb_build_object(
  'renewal_settings', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id'), '[]')
    FROM renewal_settings t WHERE account_id = $1),
  'renewals', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM renewals t WHERE account_id = $1),
  'portal_visits', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'url' ORDER BY id), '[]')
    FROM portal_visits t WHERE account_id = $1),
  'benefit_uses', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'person_key' ORDER BY id), '[]')
    FROM benefit_uses t WHERE account_id = $1),
  'upgrade_offer_uses', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'person_key' ORDER BY id), '[]')
    FROM upgrade_offer_uses t WHERE account_id = $1),
  'upgrade_offer_tellings', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY offer_id), '[]')
    FROM upgrade_offer_tellings t WHERE account_id = $1),
  'trials', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'person_key' ORDER BY id), '[]')
    FROM trials t WHERE account_id = $1),
  'gifts', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'code_hash' - 'redeemed_by'
        - CASE WHEN account_id = $1 THEN ARRAY['term_id'] ELSE ARRAY['to_email', 'to_name', 'message', 'from_name', 'line_id'] END
        ORDER BY id), '[]')
    FROM gifts t WHERE account_id = $1 OR redeemed_by = $1),
  'invite_codes', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY code), '[]')
    FROM invite_codes t WHERE account_id = $1),
  'referrals', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'inviter_id' - 'friend_id' - 'person_key' - 'address_hash' - 'signals'
        - 'reason' - 'released_at'
        - CASE WHEN inviter_id = $1 THEN ARRAY['order_id', 'basis_minor', 'minimum_minor'] ELSE ARRAY['code'] END
        || jsonb_build_object('side', CASE WHEN inviter_id = $1 THEN 'inviter' ELSE 'friend' END) ORDER BY id), '[]')
    FROM referrals t WHERE inviter_id = $1 OR friend_id = $1),
  'referral_rewards', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.referral_id), '[]')
    FROM referral_rewards t JOIN referrals r ON r.id = t.referral_id
    WHERE (t.side = 'inviter' AND r.inviter_id = $1) OR (t.side = 'friend' AND r.friend_id = $1)),
  'partners', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM partners t WHERE account_id = $1),
  'pledges', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY line_id), '[]')
    FROM pledges t WHERE account_id = $1),
  'waiting_entries', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM waiting_entries t WHERE account_id = $1),
  'product_reminders', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM product_reminders t WHERE account_id = $1),
  'rights', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM rights t WHERE account_id = $1),
  'shipments', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.id), '[]')
    FROM shipments t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'shipping_promises', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.order_id), '[]')
    FROM shipping_promises t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'order_cancellations', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.order_id), '[]')
    FROM order_cancellations t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'returns', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.id), '[]')
    FROM returns t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'return_lines', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.return_id, t.line_id), '[]')
    FROM return_lines t JOIN returns r ON r.id = t.return_id JOIN orders o ON o.id = r.order_id
    WHERE o.account_id = $1),
  'orders', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY id), '[]')
    FROM orders t WHERE account_id = $1),
  'order_adoptions', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' ORDER BY order_id), '[]')
    FROM order_adoptions t WHERE account_id = $1),
  'order_lines', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.order_id, t.position), '[]')
    FROM order_lines t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'payments', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.id), '[]')
    FROM payments t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'refunds', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.id), '[]')
    FROM refunds t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'invoices', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.id), '[]')
    FROM invoices t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'withdrawals', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'token_hash' ORDER BY t.id), '[]')
    FROM withdrawals t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'disputes', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.id), '[]')
    FROM disputes t JOIN orders o ON o.id = t.order_id WHERE o.account_id = $1),
  'f_codes', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.id), '[]')
    FROM f_codes t JOIN accounts a ON a.email_key = t.email_key OR a.id = t.account_id WHERE a.id = $1),
  'mails', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'account_id' - 'data' ORDER BY id), '[]')
    FROM mails t WHERE account_id = $1),
  'audit_log', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'prev_hash' - 'hash' ORDER BY seq), '[]')
    FROM audit_log t WHERE subject_id = 'acc_' || replace($1::text, '-', '')
      OR actor_id = ANY (array_append(ARRAY(SELECT guest_id FROM order_adoptions WHERE account_id = $1), $1)))
) AS data";

#[derive(QueryableByName)]
struct Exported {
    #[diesel(sql_type = Jsonb)]
    data: Value,
}

/// # Errors
/// The database's.
pub async fn export(conn: &mut Conn, account: AccountId) -> Result<Value> {
    let row: Exported = diesel::sql_query(EXPORT).bind::<SqlUuid, _>(account).get_result(conn).await?;
    Ok(row.data)
}

/// The account's orders that wait for payment.
///
/// # Errors
/// The database's.
pub async fn pending_orders(conn: &mut Conn, account: AccountId) -> Result<Vec<OrderId>> {
    Ok(orders::table
        .filter(orders::account_id.eq(account))
        .filter(orders::state.eq("pending_payment"))
        .order(orders::id)
        .select(orders::id)
        .load(conn)
        .await?)
}

/// Is a parcel still to come: goods that were paid, not sent and not refunded?
///
/// # Errors
/// The database's.
pub async fn has_parcels_to_come(conn: &mut Conn, account: AccountId) -> Result<bool> {
    let unsent = shipping_promises::table
        .inner_join(orders::table)
        .filter(orders::account_id.eq(account))
        .filter(shipping_promises::done_at.is_null());
    Ok(diesel::select(diesel::dsl::exists(unsent)).get_result(conn).await?)
}

/// The account's returns that aren't over: (order, return).
///
/// # Errors
/// The database's.
pub async fn open_returns(conn: &mut Conn, account: AccountId) -> Result<Vec<(OrderId, ReturnId)>> {
    Ok(returns::table
        .inner_join(orders::table)
        .filter(orders::account_id.eq(account))
        .filter(returns::ended_at.is_null())
        .order(returns::id)
        .select((returns::order_id, returns::id))
        .load(conn)
        .await?)
}

/// Takes away whatever tells who an account was. What the shop must keep (orders, ledgers, the member number) stays, and
/// belongs to nobody who could be named. So does the keyed hash by which limits are counted: who comes back isn't new.
///
/// # Errors
/// The database's.
pub async fn anonymise(
    conn: &mut Conn,
    account: AccountId,
    email: Option<&str>,
    email_key: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    forget_account(conn, account, now).await?;
    forget_access(conn, account).await?;
    addresses::model::forget(conn, account).await?;
    segments::model::forget(conn, account).await?;
    reminders::forget(conn, account).await?;
    baskets::forget(conn, account).await?;
    // Stands where the address stood: unlike every address, and different for everybody.
    let nobody = format!("erased:{}", account.0);
    let addresses = addresses_of(conn, account, email).await?;
    diesel::update(orders::table.filter(orders::account_id.eq(account)))
        .set(orders::email.eq(""))
        .execute(conn)
        .await?;
    forget_addresses(conn, account).await?;
    forget_returns(conn, account).await?;
    invoices::model::forget_buyer(conn, account).await?;
    withdrawals::model::forget_names(conn, account).await?;
    // Those of gift cards from others belong to no account.
    let own = mails::account_id.eq(account).or(mails::to_address.eq_any(&addresses));
    diesel::update(mails::table.filter(own)).set(mails::to_address.eq("")).execute(conn).await?;
    // A place goes with the membership that is given up.
    diesel::update(series_places::table.filter(series_places::account_id.eq(account)))
        .set(series_places::person_key.eq(&nobody))
        .execute(conn)
        .await?;
    gift_cards::model::forget(conn, account, &addresses).await?;
    gifts::model::forget(conn, account, &addresses).await?;
    packets::model::forget(conn, account).await?;
    referrals::model::forget(conn, account).await?;
    partners::model::forget(conn, account).await?;
    crowdfunding::model::forget(conn, account).await?;
    diesel::update(drive_applications::table.filter(drive_applications::account_id.eq(account)))
        .set(drive_applications::answers.eq(json!({})))
        .execute(conn)
        .await?;
    moves::model::drop_choice(conn, account).await?;
    renewals::model::forget(conn, account).await?;
    portal::model::forget(conn, account).await?;
    organisers::model::forget(conn, account, now).await?;
    measures::model::forget(conn, account).await?;
    benefits::uses::forget(conn, account).await?;
    levels::service::forget(conn, account).await?;
    lists::model::forget(conn, account, &addresses).await?;
    waiting_list::model::forget(conn, account, &nobody).await?;
    forget_events(conn, account).await?;
    // A place that was reserved for the address stays reserved, for nobody.
    diesel::update(drive_invitations::table.filter(drive_invitations::email_key.eq(email_key)))
        .set(drive_invitations::email_key.eq(&nobody))
        .execute(conn)
        .await?;
    // So does the unit of a code that is bound to it, until the code ends.
    diesel::update(f_codes::table.filter(f_codes::email_key.eq(email_key)))
        .set(f_codes::email_key.eq(&nobody))
        .execute(conn)
        .await?;
    Ok(())
}

/// Of where parcels went the country stays: it is part of what was sold.
async fn forget_addresses(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::sql_query(
        "UPDATE orders SET ship_to = jsonb_build_object('name', '', 'phone', '', 'city', '', 'line1', '', \
         'country', ship_to -> 'country') WHERE account_id = $1 AND ship_to IS NOT NULL",
    )
    .bind::<SqlUuid, _>(account)
    .execute(conn)
    .await?;
    Ok(())
}

/// What was written about returns, by either side. What was sent back, why, and what became of it stays.
async fn forget_returns(conn: &mut Conn, account: AccountId) -> Result<()> {
    let own = orders::table.filter(orders::account_id.eq(account)).select(orders::id);
    diesel::update(returns::table.filter(returns::order_id.eq_any(own)))
        .set((returns::note.eq(None::<String>), returns::answer.eq(None::<String>)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Empties what Stripe told of the account's payments, whose objects name the address that a receipt went to. Events that
/// are still to be applied are emptied then, since the order has no address any more.
async fn forget_events(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::sql_query(
        "UPDATE stripe_events SET payload = '' WHERE payment_id IN ( \
         SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.account_id = $1)",
    )
    .bind::<SqlUuid, _>(account)
    .execute(conn)
    .await?;
    Ok(())
}

/// Every address of the account as it was typed: its own, and those of its orders, some of them placed as a guest.
async fn addresses_of(conn: &mut Conn, account: AccountId, email: Option<&str>) -> Result<Vec<String>> {
    let own = orders::table.filter(orders::account_id.eq(account)).filter(orders::email.ne(""));
    let mut addresses: Vec<String> = own.select(orders::email).distinct().load(conn).await?;
    addresses.extend(email.map(str::to_owned));
    Ok(addresses)
}

async fn forget_account(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(accounts::table.find(account))
        .set((
            accounts::email.eq(None::<String>),
            accounts::email_key.eq(None::<String>),
            accounts::password_hash.eq(None::<String>),
            accounts::name.eq(None::<String>),
            accounts::marketing.eq(false),
            accounts::birthday.eq(None::<String>),
            accounts::birthday_set_at.eq(None::<DateTime<Utc>>),
            accounts::roles.eq(Vec::<String>::new()),
            accounts::invite_code.eq(None::<String>),
            accounts::email_verified_at.eq(None::<DateTime<Utc>>),
            accounts::erased_at.eq(now),
            accounts::version.eq(accounts::version + 1),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Tokens go; ended sessions stay without what they tell of devices.
async fn forget_access(conn: &mut Conn, account: AccountId) -> Result<()> {
    let own = sessions::table.filter(sessions::account_id.eq(account)).select(sessions::id);
    diesel::delete(refresh_tokens::table.filter(refresh_tokens::session_id.eq_any(own)))
        .execute(conn)
        .await?;
    diesel::update(sessions::table.filter(sessions::account_id.eq(account)))
        .set(sessions::user_agent.eq(""))
        .execute(conn)
        .await?;
    diesel::delete(account_tokens::table.filter(account_tokens::account_id.eq(account)))
        .execute(conn)
        .await?;
    let own = orders::table.filter(orders::account_id.eq(account)).select(orders::id);
    diesel::delete(order_tokens::table.filter(order_tokens::order_id.eq_any(own))).execute(conn).await?;
    Ok(())
}
