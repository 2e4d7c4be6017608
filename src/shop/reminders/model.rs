//! Rows of reminders. A row is there until its mail is queued, in the transaction that queues it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{product_reminders, products};
use crate::types::id::{AccountId, ProductId, ReminderId};

/// Asks for a mail; false where the account has asked before.
///
/// # Errors
/// The database's.
pub async fn add(
    conn: &mut Conn,
    product: ProductId,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let row = (
        product_reminders::id.eq(ReminderId::new()),
        product_reminders::product_id.eq(product),
        product_reminders::account_id.eq(account),
        product_reminders::created_at.eq(now),
    );
    let written = diesel::insert_into(product_reminders::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(written == 1)
}

/// Asks no more.
///
/// # Errors
/// The database's.
pub async fn remove(conn: &mut Conn, product: ProductId, account: AccountId) -> Result<()> {
    let own = product_reminders::table
        .filter(product_reminders::product_id.eq(product))
        .filter(product_reminders::account_id.eq(account));
    diesel::delete(own).execute(conn).await?;
    Ok(())
}

/// Everything that an account asked for; its mails will not go out.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    let own = product_reminders::table.filter(product_reminders::account_id.eq(account));
    diesel::delete(own).execute(conn).await?;
    Ok(())
}

/// A reminder whose time has come.
#[derive(Clone, Copy, Debug, Queryable, Selectable)]
#[diesel(table_name = product_reminders)]
pub struct Due {
    pub id: ReminderId,
    pub product_id: ProductId,
    pub account_id: AccountId,
}

/// Up to `limit` reminders of products that can be bought by now, oldest first.
///
/// # Errors
/// The database's.
pub async fn due(conn: &mut Conn, limit: i64, now: DateTime<Utc>) -> Result<Vec<Due>> {
    Ok(product_reminders::table
        .inner_join(products::table)
        .filter(products::archived_at.is_null())
        .filter(products::available_from.is_null().or(products::available_from.le(now)))
        .filter(products::shown_from.is_null().or(products::shown_from.le(now)))
        .order(product_reminders::id)
        .limit(limit)
        .select(Due::as_select())
        .load(conn)
        .await?)
}

/// Takes these away, whose accounts are locked; those that are still there.
///
/// # Errors
/// The database's.
pub async fn take(conn: &mut Conn, ids: &[ReminderId]) -> Result<Vec<Due>> {
    let query = diesel::delete(product_reminders::table.filter(product_reminders::id.eq_any(ids)));
    Ok(query.returning(Due::as_returning()).load(conn).await?)
}
