//! Rows of attributed orders, of their commissions' entries, and of payouts. Entries are added and never changed; an order's
//! are added while its row is locked.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{commissions, partner_codes, partner_orders, partner_payout_entries, partner_payouts};
use crate::types::id::{CommissionId, OrderId, PartnerCodeId, PartnerId, PartnerPayoutId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// What an entry of a commission is.
    EntryKind as "CommissionKind" {
        Earned = "earned",
        /// Goods went back, or the payment was lost.
        Reversed = "reversed",
        /// What had been taken back for a refund that then failed.
        Restored = "restored",
    }
}

/// An order that came by a partner's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = partner_orders)]
pub struct PartnerOrder {
    pub order_id: OrderId,
    pub code_id: PartnerCodeId,
    pub created_at: DateTime<Utc>,
    /// None: it may yet go back.
    pub payable_since: Option<DateTime<Utc>>,
}

/// An entry of a commission.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = commissions)]
pub struct Entry {
    pub id: CommissionId,
    pub partner_id: PartnerId,
    pub order_id: OrderId,
    /// Of the order's: 0 is what was earned.
    pub number: i32,
    pub kind: EntryKind,
    pub reason: Option<String>,
    /// Earned: what goods and terms came to; else what of it had gone back by then.
    pub basis_minor: i64,
    /// Hundredths of a percent.
    pub rate_bp: i32,
    /// Below zero where it was reversed.
    pub amount_minor: i64,
    pub created_at: DateTime<Utc>,
}

/// Money that a partner was paid.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = partner_payouts)]
pub struct Payout {
    pub id: PartnerPayoutId,
    pub partner_id: PartnerId,
    pub amount_minor: i64,
    pub entries: i32,
    pub created_at: DateTime<Utc>,
}

/// The attribution of an order, where it has one.
///
/// # Errors
/// The database's.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Option<PartnerOrder>> {
    let query = partner_orders::table.find(order).select(PartnerOrder::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// Those of these orders that came by a partner's code.
///
/// # Errors
/// The database's.
pub async fn among(conn: &mut Conn, orders: &[OrderId]) -> Result<Vec<OrderId>> {
    Ok(partner_orders::table
        .filter(partner_orders::order_id.eq_any(orders))
        .order(partner_orders::order_id)
        .select(partner_orders::order_id)
        .load(conn)
        .await?)
}

/// # Errors
/// The database's.
pub async fn insert_order(conn: &mut Conn, of: &PartnerOrder) -> Result<()> {
    diesel::insert_into(partner_orders::table).values(of).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn set_payable(conn: &mut Conn, order: OrderId, since: Option<DateTime<Utc>>) -> Result<()> {
    diesel::update(partner_orders::table.find(order))
        .set(partner_orders::payable_since.eq(since))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, entry: &Entry) -> Result<()> {
    diesel::insert_into(commissions::table).values(entry).execute(conn).await?;
    Ok(())
}

/// The entries of an order, what was earned first.
///
/// # Errors
/// The database's.
pub async fn entries_of(conn: &mut Conn, order: OrderId) -> Result<Vec<Entry>> {
    Ok(commissions::table
        .filter(commissions::order_id.eq(order))
        .order(commissions::number)
        .select(Entry::as_select())
        .load(conn)
        .await?)
}

/// An entry with its code, since when it could be paid, and the payout that paid it.
pub type Listed = (Entry, String, Option<DateTime<Utc>>, Option<PartnerPayoutId>);

/// A partner's entries, newest first: a page of them, or all.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, partner: PartnerId, page: Option<Page>) -> Result<Vec<Listed>> {
    let mut query = commissions::table
        .inner_join(partner_orders::table.inner_join(partner_codes::table))
        .left_join(partner_payout_entries::table)
        .filter(commissions::partner_id.eq(partner))
        .order(commissions::id.desc())
        .select((
            Entry::as_select(),
            partner_codes::label,
            partner_orders::payable_since,
            partner_payout_entries::payout_id.nullable(),
        ))
        .into_boxed();
    if let Some(page) = page {
        query = query.filter(commissions::id.lt(CommissionId(page.before))).limit(page.fetch());
    }
    Ok(query.load(conn).await?)
}

/// What of a partner's is payable and in no payout. His row is locked.
///
/// # Errors
/// The database's.
pub async fn unpaid(conn: &mut Conn, partner: PartnerId) -> Result<Vec<(CommissionId, i64)>> {
    Ok(commissions::table
        .inner_join(partner_orders::table)
        .left_join(partner_payout_entries::table)
        .filter(commissions::partner_id.eq(partner))
        .filter(partner_orders::payable_since.is_not_null())
        .filter(partner_payout_entries::payout_id.is_null())
        .order(commissions::id)
        .select((commissions::id, commissions::amount_minor))
        .load(conn)
        .await?)
}

/// Writes a payout of these entries.
///
/// # Errors
/// The database's.
pub async fn insert_payout(conn: &mut Conn, payout: &Payout, entries: &[CommissionId]) -> Result<()> {
    diesel::insert_into(partner_payouts::table).values(payout).execute(conn).await?;
    diesel::sql_query("INSERT INTO partner_payout_entries (entry_id, payout_id) SELECT unnest($1), $2")
        .bind::<Array<SqlUuid>, _>(entries)
        .bind::<SqlUuid, _>(payout.id)
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find_payout(conn: &mut Conn, id: PartnerPayoutId) -> Result<Option<Payout>> {
    Ok(partner_payouts::table.find(id).select(Payout::as_select()).first(conn).await.optional()?)
}

/// A page of a partner's payouts, newest first.
///
/// # Errors
/// The database's.
pub async fn payouts(conn: &mut Conn, partner: PartnerId, page: Page) -> Result<Vec<Payout>> {
    Ok(partner_payouts::table
        .filter(partner_payouts::partner_id.eq(partner))
        .filter(partner_payouts::id.lt(PartnerPayoutId(page.before)))
        .order(partner_payouts::id.desc())
        .limit(page.fetch())
        .select(Payout::as_select())
        .load(conn)
        .await?)
}
