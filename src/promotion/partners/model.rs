//! Rows of partners and of their codes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{invite_codes, partner_codes, partners, pools};
use crate::types::id::{AccountId, PartnerCodeId, PartnerId, PoolId};

/// Somebody who brings buyers for a part of what they buy.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = partners)]
pub struct Partner {
    pub id: PartnerId,
    pub name: String,
    pub email: String,
    /// His own in this shop, where he has one.
    pub account_id: Option<AccountId>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    /// His codes count for nothing from then on.
    pub archived_at: Option<DateTime<Utc>>,
}

/// A code of a partner's.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = partner_codes)]
pub struct PartnerCode {
    pub id: PartnerCodeId,
    pub partner_id: PartnerId,
    /// As it is compared.
    pub code: String,
    /// As it was written.
    pub label: String,
    pub name_zh: String,
    pub name_en: String,
    /// Hundredths of a percent.
    pub rate_bp: i32,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    /// The orders that it may bring.
    pub pool_id: PoolId,
    pub created_at: DateTime<Utc>,
    /// An operator ended it.
    pub ended_at: Option<DateTime<Utc>>,
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, of: &Partner) -> Result<()> {
    diesel::insert_into(partners::table).values(of).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: PartnerId) -> Result<Option<Partner>> {
    Ok(partners::table.find(id).select(Partner::as_select()).first(conn).await.optional()?)
}

/// A partner's row, locked.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: PartnerId) -> Result<Option<Partner>> {
    let query = partners::table.find(id).select(Partner::as_select()).for_no_key_update();
    Ok(query.first(conn).await.optional()?)
}

/// Writes what can change of a partner whose row is locked.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, of: &Partner) -> Result<()> {
    diesel::update(partners::table.find(of.id))
        .set((
            partners::name.eq(&of.name),
            partners::email.eq(&of.email),
            partners::account_id.eq(of.account_id),
            partners::version.eq(of.version),
            partners::archived_at.eq(of.archived_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// A page of partners, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Partner>> {
    Ok(partners::table
        .filter(partners::id.lt(PartnerId(page.before)))
        .order(partners::id.desc())
        .limit(page.fetch())
        .select(Partner::as_select())
        .load(conn)
        .await?)
}

/// An erased account is no partner's any more. Name and address of the partner stay, as of who is party to a contract that
/// money was paid for, until an operator changes them.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::update(partners::table.filter(partners::account_id.eq(account)))
        .set((partners::account_id.eq(None::<AccountId>), partners::version.eq(partners::version + 1)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes a code with its pool of so many orders.
///
/// # Errors
/// `code_taken`, also where a member has it.
pub async fn insert_code(conn: &mut Conn, of: &PartnerCode, orders: i64) -> Result<()> {
    diesel::insert_into(pools::table)
        .values((pools::id.eq(of.pool_id), pools::kind.eq("partner_code"), pools::capacity.eq(orders)))
        .execute(conn)
        .await?;
    diesel::insert_into(invite_codes::table)
        .values((
            invite_codes::code.eq(&of.code),
            invite_codes::account_id.eq(None::<AccountId>),
            invite_codes::created_at.eq(of.created_at),
        ))
        .execute(conn)
        .await?;
    diesel::insert_into(partner_codes::table).values(of).execute(conn).await?;
    Ok(())
}

/// The code of a partner that is compared so, with whose it is.
///
/// # Errors
/// The database's.
pub async fn by_code(conn: &mut Conn, code: &str) -> Result<Option<(PartnerCode, Partner)>> {
    Ok(partner_codes::table
        .inner_join(partners::table)
        .filter(partner_codes::code.eq(code))
        .select((PartnerCode::as_select(), Partner::as_select()))
        .first(conn)
        .await
        .optional()?)
}

/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, id: PartnerCodeId) -> Result<Option<(PartnerCode, Partner)>> {
    Ok(partner_codes::table
        .inner_join(partners::table)
        .filter(partner_codes::id.eq(id))
        .select((PartnerCode::as_select(), Partner::as_select()))
        .first(conn)
        .await
        .optional()?)
}

/// A page of a partner's codes, newest first.
///
/// # Errors
/// The database's.
pub async fn codes(conn: &mut Conn, partner: PartnerId, page: Page) -> Result<Vec<PartnerCode>> {
    Ok(partner_codes::table
        .filter(partner_codes::partner_id.eq(partner))
        .filter(partner_codes::id.lt(PartnerCodeId(page.before)))
        .order(partner_codes::id.desc())
        .limit(page.fetch())
        .select(PartnerCode::as_select())
        .load(conn)
        .await?)
}

/// Ends a code of a partner's that hasn't been ended: false where it was, or there is none.
///
/// # Errors
/// The database's.
pub async fn end_code(
    conn: &mut Conn,
    partner: PartnerId,
    id: PartnerCodeId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let open = partner_codes::table
        .find(id)
        .filter(partner_codes::partner_id.eq(partner))
        .filter(partner_codes::ended_at.is_null());
    Ok(diesel::update(open).set(partner_codes::ended_at.eq(now)).execute(conn).await? == 1)
}

/// What a partner's orders came to, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Figures {
    #[diesel(sql_type = SqlUuid)]
    pub partner_id: PartnerId,
    #[diesel(sql_type = BigInt)]
    pub orders: i64,
    /// May yet go back.
    #[diesel(sql_type = BigInt)]
    pub held: i64,
    /// Goes into the next payout; below zero where more went back than came since the last one.
    #[diesel(sql_type = BigInt)]
    pub payable: i64,
    #[diesel(sql_type = BigInt)]
    pub paid: i64,
}

/// The figures of these partners, where there are any.
///
/// # Errors
/// The database's.
pub async fn figures(conn: &mut Conn, ids: &[PartnerId]) -> Result<HashMap<PartnerId, Figures>> {
    let rows: Vec<Figures> = diesel::sql_query(
        "SELECT c.partner_id, count(*) FILTER (WHERE c.number = 0) AS orders, \
         coalesce(sum(c.amount_minor) FILTER (WHERE p.payout_id IS NULL AND o.payable_since IS NULL), 0)::bigint AS held, \
         coalesce(sum(c.amount_minor) FILTER (WHERE p.payout_id IS NULL AND o.payable_since IS NOT NULL), 0)::bigint \
             AS payable, \
         coalesce(sum(c.amount_minor) FILTER (WHERE p.payout_id IS NOT NULL), 0)::bigint AS paid \
         FROM commissions c JOIN partner_orders o ON o.order_id = c.order_id \
         LEFT JOIN partner_payout_entries p ON p.entry_id = c.id \
         WHERE c.partner_id = ANY($1) GROUP BY c.partner_id",
    )
    .bind::<Array<SqlUuid>, _>(ids)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.partner_id, row)).collect())
}
