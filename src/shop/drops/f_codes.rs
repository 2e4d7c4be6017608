//! Rows of F-codes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::messages::mails::Recipient;
use crate::schema::{accounts, f_codes, pools};
use crate::types::id::{AccountId, DropId, FCodeId, PoolId, VariantId};
use crate::types::locale::Locale;

/// A code that guarantees one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FCode {
    pub id: FCodeId,
    pub drop: DropId,
    pub variant: VariantId,
    /// As it is stored: capitals, no hyphens.
    pub code: String,
    pub pool: PoolId,
    /// Bound to the person with that address.
    pub email_key: Option<String>,
    /// Bound to that account, whatever its address is.
    pub account: Option<AccountId>,
    /// Of a waiting list: the cap of the drop applies.
    pub is_offer: bool,
    /// Exclusive.
    pub expires_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub held: i64,
    pub taken: i64,
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = f_codes)]
struct FCodeRow {
    id: FCodeId,
    drop_id: DropId,
    variant_id: VariantId,
    code: String,
    pool_id: PoolId,
    email_key: Option<String>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    account_id: Option<AccountId>,
    is_offer: bool,
}

/// A code that is declined has had its time: the job that ends codes gives its unit back.
///
/// # Errors
/// The database's.
pub async fn expire_f_code(conn: &mut Conn, id: FCodeId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(f_codes::table.find(id)).set(f_codes::expires_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// A code whose order was refunded: the job that ends codes looks at it again.
///
/// # Errors
/// The database's.
pub async fn reopen_f_code(conn: &mut Conn, id: FCodeId) -> Result<()> {
    diesel::update(f_codes::table.find(id))
        .set(f_codes::ended_at.eq(None::<DateTime<Utc>>))
        .execute(conn)
        .await?;
    Ok(())
}

/// F-codes that were made by one request: those of its first one's drop and moment.
///
/// # Errors
/// The database's.
pub async fn batch_of(conn: &mut Conn, first: FCodeId) -> Result<Vec<FCode>> {
    let (drop, at): (DropId, DateTime<Utc>) =
        f_codes::table.find(first).select((f_codes::drop_id, f_codes::created_at)).first(conn).await?;
    let rows: Vec<(FCodeRow, (i64, i64))> = f_codes::table
        .inner_join(pools::table)
        .filter(f_codes::drop_id.eq(drop))
        .filter(f_codes::created_at.eq(at))
        .filter(f_codes::id.ge(first))
        .order(f_codes::id)
        .select((FCodeRow::as_select(), (pools::held, pools::taken)))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(f_code).collect())
}

/// How these accounts are reached; erased ones are left out.
///
/// # Errors
/// The database's.
pub async fn reachable(conn: &mut Conn, ids: &[AccountId]) -> Result<Vec<Recipient>> {
    let rows: Vec<(AccountId, Option<String>, String)> = accounts::table
        .filter(accounts::id.eq_any(ids))
        .select((accounts::id, accounts::email, accounts::locale))
        .load(conn)
        .await?;
    let recipient = |(id, email, locale): (AccountId, Option<String>, String)| {
        Some(Recipient { account: Some(id), address: email?, locale: Locale::from_stored(&locale) })
    };
    Ok(rows.into_iter().filter_map(recipient).collect())
}

/// F-codes by their stored codes.
///
/// # Errors
/// The database's.
pub async fn f_codes(mut conn: &Conn, codes: &[String]) -> Result<Vec<FCode>> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(FCodeRow, (i64, i64))> = f_codes::table
        .inner_join(pools::table)
        .filter(f_codes::code.eq_any(codes))
        .select((FCodeRow::as_select(), (pools::held, pools::taken)))
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().map(f_code).collect())
}

fn f_code((row, (held, taken)): (FCodeRow, (i64, i64))) -> FCode {
    FCode {
        id: row.id,
        drop: row.drop_id,
        variant: row.variant_id,
        code: row.code,
        pool: row.pool_id,
        email_key: row.email_key,
        account: row.account_id,
        is_offer: row.is_offer,
        expires_at: row.expires_at,
        ended_at: row.ended_at,
        created_at: row.created_at,
        held,
        taken,
    }
}

/// A page of a drop's F-codes, newest first.
///
/// # Errors
/// The database's.
pub async fn list_f_codes(conn: &mut Conn, drop: DropId, page: Page) -> Result<Vec<FCode>> {
    let rows: Vec<(FCodeRow, (i64, i64))> = f_codes::table
        .inner_join(pools::table)
        .filter(f_codes::drop_id.eq(drop))
        .filter(f_codes::id.lt(FCodeId(page.before)))
        .order(f_codes::id.desc())
        .limit(page.fetch())
        .select((FCodeRow::as_select(), (pools::held, pools::taken)))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(f_code).collect())
}

/// F-codes whose time is over and whose unit hasn't gone back, at most `limit`: those of unpaid orders, whose unit is held,
/// wait.
///
/// # Errors
/// The database's.
pub async fn expired_f_codes(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Result<Vec<FCode>> {
    let rows: Vec<(FCodeRow, (i64, i64))> = f_codes::table
        .inner_join(pools::table)
        .filter(f_codes::expires_at.le(now))
        .filter(f_codes::ended_at.is_null())
        .filter(pools::held.eq(0))
        .order(f_codes::expires_at)
        .limit(limit)
        .select((FCodeRow::as_select(), (pools::held, pools::taken)))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(f_code).collect())
}

/// Writes new F-codes, each with a pool of one unit.
///
/// # Errors
/// The database's.
pub async fn insert_f_codes(conn: &mut Conn, codes: &[FCode]) -> Result<()> {
    for codes in codes.chunks(2_000) {
        let of_pools: Vec<_> = codes
            .iter()
            .map(|code| (pools::id.eq(code.pool), pools::kind.eq("f_code"), pools::capacity.eq(1_i64)))
            .collect();
        diesel::insert_into(pools::table).values(of_pools).execute(conn).await?;
        let rows: Vec<_> = codes
            .iter()
            .map(|code| {
                (
                    f_codes::id.eq(code.id),
                    f_codes::drop_id.eq(code.drop),
                    f_codes::variant_id.eq(code.variant),
                    f_codes::code.eq(&code.code),
                    f_codes::pool_id.eq(code.pool),
                    f_codes::email_key.eq(&code.email_key),
                    f_codes::account_id.eq(code.account),
                    f_codes::is_offer.eq(code.is_offer),
                    f_codes::expires_at.eq(code.expires_at),
                    f_codes::created_at.eq(code.created_at),
                )
            })
            .collect();
        diesel::insert_into(f_codes::table).values(rows).execute(conn).await?;
    }
    Ok(())
}

/// # Errors
/// The database's.
pub async fn end_f_codes(conn: &mut Conn, ids: &[FCodeId], now: DateTime<Utc>) -> Result<()> {
    let codes = f_codes::table.filter(f_codes::id.eq_any(ids));
    diesel::update(codes).set(f_codes::ended_at.eq(now)).execute(conn).await?;
    Ok(())
}
