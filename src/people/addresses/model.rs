//! Rows and queries of addresses. Whoever writes holds the lock of the account's row: the number of addresses and the
//! default are decided under it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::schema::addresses;
use crate::shop::shipping::rules::Address;
use crate::types::id::{AccountId, AddressId};

/// An address of an account's book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedAddress {
    pub id: AddressId,
    pub account: AccountId,
    pub address: Address,
    pub is_default: bool,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = addresses)]
struct Row {
    id: AddressId,
    account_id: AccountId,
    address: Value,
    is_default: bool,
    created_at: DateTime<Utc>,
    version: i32,
}

impl TryFrom<Row> for SavedAddress {
    type Error = AppError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            account: row.account_id,
            address: serde_json::from_value(row.address).map_err(AppError::internal)?,
            is_default: row.is_default,
            created_at: row.created_at,
            version: row.version,
        })
    }
}

/// The whole book: the default first, then the newest.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, account: AccountId) -> Result<Vec<SavedAddress>> {
    let rows: Vec<Row> = addresses::table
        .filter(addresses::account_id.eq(account))
        .order((addresses::is_default.desc(), addresses::id.desc()))
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(SavedAddress::try_from).collect()
}

/// None where there is no such address, and where it is a stranger's.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, account: AccountId, id: AddressId) -> Result<Option<SavedAddress>> {
    let row: Option<Row> = addresses::table
        .find(id)
        .filter(addresses::account_id.eq(account))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(SavedAddress::try_from).transpose()
}

/// # Errors
/// The database's.
pub async fn count(conn: &mut Conn, account: AccountId) -> Result<i64> {
    Ok(addresses::table.filter(addresses::account_id.eq(account)).count().get_result(conn).await?)
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, saved: &SavedAddress) -> Result<()> {
    let row = Row {
        id: saved.id,
        account_id: saved.account,
        address: serde_json::to_value(&saved.address).map_err(AppError::internal)?,
        is_default: saved.is_default,
        created_at: saved.created_at,
        version: saved.version,
    };
    diesel::insert_into(addresses::table).values(row).execute(conn).await?;
    Ok(())
}

/// Writes what can change of an address.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, saved: &SavedAddress) -> Result<()> {
    diesel::update(addresses::table.find(saved.id))
        .set((
            addresses::address.eq(serde_json::to_value(&saved.address).map_err(AppError::internal)?),
            addresses::is_default.eq(saved.is_default),
            addresses::version.eq(saved.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Leaves the account without a default. It comes before another one is made that: the index allows one at any moment.
///
/// # Errors
/// The database's.
pub async fn clear_default(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::update(addresses::table.filter(addresses::account_id.eq(account)).filter(addresses::is_default))
        .set((addresses::is_default.eq(false), addresses::version.eq(addresses::version + 1)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Makes the newest address the default of an account that has none; nothing where the book is empty.
///
/// # Errors
/// The database's.
pub async fn default_to_newest(conn: &mut Conn, account: AccountId) -> Result<()> {
    let newest: Option<AddressId> = addresses::table
        .filter(addresses::account_id.eq(account))
        .order(addresses::id.desc())
        .select(addresses::id)
        .first(conn)
        .await
        .optional()?;
    diesel::update(addresses::table.filter(addresses::id.nullable().eq(newest)))
        .set((addresses::is_default.eq(true), addresses::version.eq(addresses::version + 1)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes an address of the account and tells whether it was the default; none where there is no such address.
///
/// # Errors
/// The database's.
pub async fn delete(conn: &mut Conn, account: AccountId, id: AddressId) -> Result<Option<bool>> {
    Ok(diesel::delete(addresses::table.find(id).filter(addresses::account_id.eq(account)))
        .returning(addresses::is_default)
        .get_result(conn)
        .await
        .optional()?)
}

/// Empties the book, for erasure.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::delete(addresses::table.filter(addresses::account_id.eq(account))).execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_would_show_the_country_alone() {
        let address = serde_json::json!({
            "name": "Ada Xu", "phone": "+86 138", "country": "CN", "city": "Beijing", "line1": "1 Main St",
        });
        let row = Row {
            id: AddressId::new(),
            account_id: AccountId::new(),
            address,
            is_default: true,
            created_at: "2014-06-17T02:00:00Z".parse().unwrap(),
            version: 1,
        };
        let text = format!("{:?}", SavedAddress::try_from(row).unwrap());
        assert!(text.contains(r#"Address { country: "CN", .. }"#), "{text}");
        assert!(!["Ada", "+86", "Beijing", "Main"].iter().any(|part| text.contains(part)), "{text}");
    }
}
