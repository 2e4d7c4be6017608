//! Rows of gift cards.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{Code, Result};
use crate::schema::{gift_cards, order_lines};
use crate::types::id::{AccountId, GiftCardId, LineId, OrderId};

/// A gift card. Its code isn't kept: only the hash of it is.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = gift_cards)]
pub struct GiftCard {
    pub id: GiftCardId,
    /// None where an operator gave it out.
    pub line_id: Option<LineId>,
    /// Who bought it.
    pub account_id: Option<AccountId>,
    pub amount_minor: i64,
    pub currency: String,
    pub to_email: String,
    pub to_name: Option<String>,
    pub from_name: Option<String>,
    pub message: Option<String>,
    /// The mail's.
    pub locale: String,
    /// Not before.
    pub deliver_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
    /// When it was paid for, or given out.
    pub activated_at: Option<DateTime<Utc>>,
    /// When its code was made and mailed.
    pub delivered_at: Option<DateTime<Utc>>,
    /// The last four letters of the code, to tell cards apart.
    pub code_end: Option<String>,
    pub redeemed_at: Option<DateTime<Utc>>,
    pub redeemed_by: Option<AccountId>,
    pub held_at: Option<DateTime<Utc>>,
    pub voided_at: Option<DateTime<Utc>>,
}

batch_insert! {
    /// A card that was ordered, or is given out.
    pub struct NewGiftCard as GiftCardColumns into "gift_cards" {
        id: GiftCardId => SqlUuid,
        line_id: Option<LineId> => Nullable<SqlUuid>,
        account_id: Option<AccountId> => Nullable<SqlUuid>,
        amount_minor: i64 => BigInt,
        currency: String => Text,
        to_email: String => Text,
        to_name: Option<String> => Nullable<Text>,
        from_name: Option<String> => Nullable<Text>,
        message: Option<String> => Nullable<Text>,
        locale: String => Text,
        deliver_at: DateTime<Utc> => Timestamptz,
        expires_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        reason: Option<String> => Nullable<Text>,
        created_at: DateTime<Utc> => Timestamptz,
        activated_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    }
}

/// # Errors
/// `not_found`
pub async fn load(conn: &mut Conn, id: GiftCardId) -> Result<GiftCard> {
    let row = gift_cards::table.find(id).select(GiftCard::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// Locks a card, before balances of store credit.
///
/// # Errors
/// `not_found`
pub async fn lock(conn: &mut Conn, id: GiftCardId) -> Result<GiftCard> {
    let query = gift_cards::table.find(id).select(GiftCard::as_select()).for_no_key_update();
    query.first(conn).await.optional()?.ok_or_else(|| Code::NotFound.error())
}

/// The card with this code.
///
/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, hash: &[u8]) -> Result<Option<GiftCard>> {
    let query = gift_cards::table.filter(gift_cards::code_hash.eq(hash));
    Ok(query.select(GiftCard::as_select()).first(conn).await.optional()?)
}

/// [`find_code`], locked.
///
/// # Errors
/// The database's.
pub async fn lock_code(conn: &mut Conn, hash: &[u8]) -> Result<Option<GiftCard>> {
    let query = gift_cards::table.filter(gift_cards::code_hash.eq(hash));
    Ok(query.select(GiftCard::as_select()).for_no_key_update().first(conn).await.optional()?)
}

/// Cards of these lines, by line.
///
/// # Errors
/// The database's.
pub async fn of_lines(conn: &mut Conn, lines: &[LineId]) -> Result<Vec<GiftCard>> {
    let query = gift_cards::table.filter(gift_cards::line_id.eq_any(lines)).order(gift_cards::id);
    Ok(query.select(GiftCard::as_select()).load(conn).await?)
}

/// [`of_lines`], locked.
///
/// # Errors
/// The database's.
pub async fn lock_of_lines(conn: &mut Conn, lines: &[LineId]) -> Result<Vec<GiftCard>> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let query = gift_cards::table.filter(gift_cards::line_id.eq_any(lines)).order(gift_cards::id);
    Ok(query.select(GiftCard::as_select()).for_no_key_update().load(conn).await?)
}

/// A page of all cards, the latest first; those of an order alone where one is named.
///
/// # Errors
/// The database's.
pub async fn page(conn: &mut Conn, order: Option<OrderId>, page: Page) -> Result<Vec<GiftCard>> {
    let mut query = gift_cards::table
        .filter(gift_cards::id.lt(GiftCardId(page.before)))
        .order(gift_cards::id.desc())
        .limit(page.fetch())
        .select(GiftCard::as_select())
        .into_boxed();
    if let Some(order) = order {
        let lines =
            order_lines::table.filter(order_lines::order_id.eq(order)).select(order_lines::id.nullable());
        query = query.filter(gift_cards::line_id.eq_any(lines));
    }
    Ok(query.load(conn).await?)
}

/// It is paid for.
///
/// # Errors
/// The database's.
pub async fn activate(conn: &mut Conn, line: LineId, now: DateTime<Utc>) -> Result<GiftCard> {
    let row = gift_cards::table.filter(gift_cards::line_id.eq(line));
    Ok(diesel::update(row)
        .set(gift_cards::activated_at.eq(now))
        .returning(GiftCard::as_returning())
        .get_result(conn)
        .await?)
}

/// Its code was made; a later one makes the earlier worthless.
///
/// # Errors
/// The database's.
pub async fn store_code(
    conn: &mut Conn,
    id: GiftCardId,
    hash: &[u8],
    end: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(gift_cards::table.find(id))
        .set((gift_cards::code_hash.eq(hash), gift_cards::code_end.eq(end), gift_cards::delivered_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn redeem(conn: &mut Conn, id: GiftCardId, by: AccountId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(gift_cards::table.find(id))
        .set((gift_cards::redeemed_at.eq(now), gift_cards::redeemed_by.eq(by)))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn void(conn: &mut Conn, ids: &[GiftCardId], now: DateTime<Utc>) -> Result<()> {
    let rows = gift_cards::table.filter(gift_cards::id.eq_any(ids));
    diesel::update(rows).set(gift_cards::voided_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// Holds cards, or lets them go.
///
/// # Errors
/// The database's.
pub async fn set_held(conn: &mut Conn, ids: &[GiftCardId], held_at: Option<DateTime<Utc>>) -> Result<()> {
    let rows = gift_cards::table.filter(gift_cards::id.eq_any(ids));
    diesel::update(rows).set(gift_cards::held_at.eq(held_at)).execute(conn).await?;
    Ok(())
}

/// Its code is worth nothing any more; it is to be delivered again.
///
/// # Errors
/// The database's.
pub async fn take_code(conn: &mut Conn, id: GiftCardId) -> Result<()> {
    diesel::update(gift_cards::table.find(id))
        .set((
            gift_cards::code_hash.eq(None::<Vec<u8>>),
            gift_cards::code_end.eq(None::<String>),
            gift_cards::delivered_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// To somebody else.
///
/// # Errors
/// The database's.
pub async fn set_receiver(conn: &mut Conn, id: GiftCardId, email: &str) -> Result<()> {
    diesel::update(gift_cards::table.find(id)).set(gift_cards::to_email.eq(email)).execute(conn).await?;
    Ok(())
}

/// Orders that an account adopts take their cards along.
///
/// # Errors
/// The database's.
pub async fn move_to(conn: &mut Conn, orders: &[OrderId], to: AccountId) -> Result<()> {
    let lines =
        order_lines::table.filter(order_lines::order_id.eq_any(orders)).select(order_lines::id.nullable());
    diesel::update(gift_cards::table.filter(gift_cards::line_id.eq_any(lines)))
        .set(gift_cards::account_id.eq(to))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes away who gave and who was given, of cards that an erased account bought: their receivers have their codes. Those
/// that wait for their day keep the address that they are promised to. Of cards that were given to it, at one of these
/// addresses, nothing tells of it either.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId, addresses: &[String]) -> Result<()> {
    let given = gift_cards::redeemed_by
        .eq(account)
        .or(gift_cards::to_email.eq_any(addresses).and(gift_cards::delivered_at.is_not_null()));
    diesel::update(gift_cards::table.filter(given))
        .set((
            gift_cards::to_email.eq(""),
            gift_cards::to_name.eq(None::<String>),
            gift_cards::message.eq(None::<String>),
        ))
        .execute(conn)
        .await?;
    let own = gift_cards::table.filter(gift_cards::account_id.eq(account));
    diesel::update(own)
        .set((gift_cards::from_name.eq(None::<String>), gift_cards::message.eq(None::<String>)))
        .execute(conn)
        .await?;
    let done = gift_cards::table
        .filter(gift_cards::account_id.eq(account))
        .filter(gift_cards::delivered_at.is_not_null().or(gift_cards::activated_at.is_null()));
    diesel::update(done)
        .set((gift_cards::to_email.eq(""), gift_cards::to_name.eq(None::<String>)))
        .execute(conn)
        .await?;
    Ok(())
}
