//! Rows of gift memberships.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{Code, Result};
use crate::schema::{gifts, order_lines};
use crate::types::id::{AccountId, GiftId, LineId, OrderId, PlanId, TermId};

/// A gift membership. Its code isn't kept: only the hash of it is.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = gifts)]
pub struct GiftRow {
    pub id: GiftId,
    pub line_id: LineId,
    /// Who bought it.
    pub account_id: AccountId,
    pub plan_id: PlanId,
    /// The plan's when it was ordered.
    pub term: String,
    /// False: for nobody yet, and its code is the buyer's to hand on.
    pub is_addressed: bool,
    /// Where its code goes; empty once that was forgotten.
    pub to_email: String,
    pub to_name: Option<String>,
    pub from_name: Option<String>,
    pub message: Option<String>,
    /// The mail's.
    pub locale: String,
    /// Not before.
    pub deliver_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    /// When it was paid for.
    pub activated_at: Option<DateTime<Utc>>,
    /// When its code was made and mailed.
    pub delivered_at: Option<DateTime<Utc>>,
    /// The last letters of the code, to tell gifts apart.
    pub code_end: Option<String>,
    /// Until then it is redeemed; known once it is paid for.
    pub expires_at: Option<DateTime<Utc>>,
    pub redeemed_at: Option<DateTime<Utc>>,
    pub redeemed_by: Option<AccountId>,
    /// What it gave.
    pub term_id: Option<TermId>,
    pub held_at: Option<DateTime<Utc>>,
    pub voided_at: Option<DateTime<Utc>>,
}

batch_insert! {
    /// A gift that was ordered.
    pub struct NewGiftRow as GiftColumns into "gifts" {
        id: GiftId => SqlUuid,
        line_id: LineId => SqlUuid,
        account_id: AccountId => SqlUuid,
        plan_id: PlanId => SqlUuid,
        term: String => Text,
        is_addressed: bool => Bool,
        to_email: String => Text,
        to_name: Option<String> => Nullable<Text>,
        from_name: Option<String> => Nullable<Text>,
        message: Option<String> => Nullable<Text>,
        locale: String => Text,
        deliver_at: DateTime<Utc> => Timestamptz,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// # Errors
/// `not_found`
pub async fn load(conn: &mut Conn, id: GiftId) -> Result<GiftRow> {
    let row = gifts::table.find(id).select(GiftRow::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// Locks a gift, after accounts.
///
/// # Errors
/// `not_found`
pub async fn lock(conn: &mut Conn, id: GiftId) -> Result<GiftRow> {
    let query = gifts::table.find(id).select(GiftRow::as_select()).for_no_key_update();
    query.first(conn).await.optional()?.ok_or_else(|| Code::NotFound.error())
}

/// The gift with this code.
///
/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, hash: &[u8]) -> Result<Option<GiftRow>> {
    let query = gifts::table.filter(gifts::code_hash.eq(hash));
    Ok(query.select(GiftRow::as_select()).first(conn).await.optional()?)
}

/// [`find_code`], locked.
///
/// # Errors
/// The database's.
pub async fn lock_code(conn: &mut Conn, hash: &[u8]) -> Result<Option<GiftRow>> {
    let query = gifts::table.filter(gifts::code_hash.eq(hash));
    Ok(query.select(GiftRow::as_select()).for_no_key_update().first(conn).await.optional()?)
}

/// Gifts of these lines, by line.
///
/// # Errors
/// The database's.
pub async fn of_lines(conn: &mut Conn, lines: &[LineId]) -> Result<Vec<GiftRow>> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let query = gifts::table.filter(gifts::line_id.eq_any(lines)).order(gifts::id);
    Ok(query.select(GiftRow::as_select()).load(conn).await?)
}

/// [`of_lines`], locked.
///
/// # Errors
/// The database's.
pub async fn lock_of_lines(conn: &mut Conn, lines: &[LineId]) -> Result<Vec<GiftRow>> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let query = gifts::table.filter(gifts::line_id.eq_any(lines)).order(gifts::id);
    Ok(query.select(GiftRow::as_select()).for_no_key_update().load(conn).await?)
}

/// Who redeemed gifts of an order.
///
/// # Errors
/// The database's.
pub async fn receivers_of(conn: &mut Conn, order: OrderId) -> Result<Vec<AccountId>> {
    let lines = order_lines::table.filter(order_lines::order_id.eq(order)).select(order_lines::id);
    let given = gifts::table.filter(gifts::line_id.eq_any(lines)).filter(gifts::redeemed_by.is_not_null());
    Ok(given.select(gifts::redeemed_by.assume_not_null()).load(conn).await?)
}

/// The order of a gift's line.
///
/// # Errors
/// The database's.
pub async fn order_of(conn: &mut Conn, line: LineId) -> Result<OrderId> {
    Ok(order_lines::table.find(line).select(order_lines::order_id).first(conn).await?)
}

/// A page of all gifts, the latest first; those of an order alone where one is named.
///
/// # Errors
/// The database's.
pub async fn page(conn: &mut Conn, order: Option<OrderId>, page: Page) -> Result<Vec<GiftRow>> {
    let mut query = gifts::table
        .filter(gifts::id.lt(GiftId(page.before)))
        .order(gifts::id.desc())
        .limit(page.fetch())
        .select(GiftRow::as_select())
        .into_boxed();
    if let Some(order) = order {
        let lines = order_lines::table.filter(order_lines::order_id.eq(order)).select(order_lines::id);
        query = query.filter(gifts::line_id.eq_any(lines));
    }
    Ok(query.load(conn).await?)
}

/// It is paid for, and to be redeemed until then.
///
/// # Errors
/// The database's.
pub async fn activate(
    conn: &mut Conn,
    line: LineId,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<GiftRow> {
    Ok(diesel::update(gifts::table.filter(gifts::line_id.eq(line)))
        .set((gifts::activated_at.eq(now), gifts::expires_at.eq(expires_at)))
        .returning(GiftRow::as_returning())
        .get_result(conn)
        .await?)
}

/// Its code was made; a later one makes the earlier worthless.
///
/// # Errors
/// The database's.
pub async fn store_code(
    conn: &mut Conn,
    id: GiftId,
    hash: &[u8],
    end: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(gifts::table.find(id))
        .set((gifts::code_hash.eq(hash), gifts::code_end.eq(end), gifts::delivered_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Its code is worth nothing any more; it is to be delivered again.
///
/// # Errors
/// The database's.
pub async fn take_code(conn: &mut Conn, id: GiftId) -> Result<()> {
    diesel::update(gifts::table.find(id))
        .set((
            gifts::code_hash.eq(None::<Vec<u8>>),
            gifts::code_end.eq(None::<String>),
            gifts::delivered_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// To somebody else; or, where it isn't `is_addressed`, to the buyer, who hands it on.
///
/// # Errors
/// The database's.
pub async fn set_receiver(conn: &mut Conn, id: GiftId, email: &str, is_addressed: bool) -> Result<()> {
    diesel::update(gifts::table.find(id))
        .set((gifts::to_email.eq(email), gifts::is_addressed.eq(is_addressed)))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn set_expiry(conn: &mut Conn, id: GiftId, expires_at: DateTime<Utc>) -> Result<()> {
    diesel::update(gifts::table.find(id)).set(gifts::expires_at.eq(expires_at)).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn redeem(
    conn: &mut Conn,
    id: GiftId,
    by: AccountId,
    term: TermId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(gifts::table.find(id))
        .set((gifts::redeemed_at.eq(now), gifts::redeemed_by.eq(by), gifts::term_id.eq(term)))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn void(conn: &mut Conn, id: GiftId, now: DateTime<Utc>) -> Result<()> {
    let live = gifts::table.find(id).filter(gifts::voided_at.is_null());
    diesel::update(live).set(gifts::voided_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// What was void is good again.
///
/// # Errors
/// The database's.
pub async fn revive(conn: &mut Conn, id: GiftId) -> Result<()> {
    diesel::update(gifts::table.find(id))
        .set(gifts::voided_at.eq(None::<DateTime<Utc>>))
        .execute(conn)
        .await?;
    Ok(())
}

/// Holds a gift while its payment is disputed.
///
/// # Errors
/// The database's.
pub async fn hold(conn: &mut Conn, id: GiftId, now: DateTime<Utc>) -> Result<()> {
    let free = gifts::table.find(id).filter(gifts::held_at.is_null());
    diesel::update(free).set(gifts::held_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// Lets a gift go that was held; what it was held for is given back.
///
/// # Errors
/// The database's.
pub async fn let_go(conn: &mut Conn, id: GiftId, expires_at: Option<DateTime<Utc>>) -> Result<()> {
    diesel::update(gifts::table.find(id))
        .set((gifts::held_at.eq(None::<DateTime<Utc>>), gifts::expires_at.eq(expires_at)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Orders that an account adopts take their gifts along.
///
/// # Errors
/// The database's.
pub async fn move_to(conn: &mut Conn, orders: &[OrderId], to: AccountId) -> Result<()> {
    let lines = order_lines::table.filter(order_lines::order_id.eq_any(orders)).select(order_lines::id);
    diesel::update(gifts::table.filter(gifts::line_id.eq_any(lines)))
        .set(gifts::account_id.eq(to))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes away who gave and who was given, as with gift cards: of what an erased account bought its receivers have their codes,
/// and what waits for its day keeps the address that it is promised to; of what was given to it, at one of these addresses,
/// nothing tells of it either.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId, addresses: &[String]) -> Result<()> {
    let nobody = || (gifts::to_email.eq(""), gifts::to_name.eq(None::<String>));
    let given = gifts::redeemed_by
        .eq(account)
        .or(gifts::to_email.eq_any(addresses).and(gifts::delivered_at.is_not_null()));
    diesel::update(gifts::table.filter(given))
        .set((nobody(), gifts::message.eq(None::<String>)))
        .execute(conn)
        .await?;
    let own = gifts::table.filter(gifts::account_id.eq(account));
    diesel::update(own)
        .set((gifts::from_name.eq(None::<String>), gifts::message.eq(None::<String>)))
        .execute(conn)
        .await?;
    // What was for nobody yet has the buyer's own address, and nobody who could get its code any more.
    let done = gifts::table.filter(gifts::account_id.eq(account)).filter(
        gifts::delivered_at
            .is_not_null()
            .or(gifts::activated_at.is_null())
            .or(diesel::dsl::not(gifts::is_addressed)),
    );
    diesel::update(done).set(nobody()).execute(conn).await?;
    Ok(())
}
