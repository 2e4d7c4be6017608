//! Rows and queries of API keys.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{Code, Result};
use crate::people::operators::rules::{Role, roles_from_stored};
use crate::people::secrets;
use crate::schema::api_keys;
use crate::types::id::{AccountId, ApiKeyId, MerchantId};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub struct ApiKeyRow {
    pub id: ApiKeyId,
    pub name: String,
    pub hash: Vec<u8>,
    pub roles: Vec<String>,
    pub created_by: AccountId,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// Of a counter: whose it is.
    pub merchant_id: Option<MerchantId>,
    /// And where it stands.
    pub outlet: Option<String>,
}

impl ApiKeyRow {
    pub fn roles(&self) -> Vec<Role> {
        roles_from_stored(&self.roles)
    }
}

/// The key behind a secret, unless it has expired or was revoked.
///
/// # Errors
/// The database's.
pub async fn find_live(conn: &mut Conn, secret: &str, now: DateTime<Utc>) -> Result<Option<ApiKeyRow>> {
    Ok(api_keys::table
        .filter(api_keys::hash.eq(secrets::hash(secret)))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.is_null().or(api_keys::expires_at.gt(now)))
        .select(ApiKeyRow::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, row: &ApiKeyRow) -> Result<()> {
    diesel::insert_into(api_keys::table).values(row).execute(conn).await?;
    Ok(())
}

/// A page of all keys, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<ApiKeyRow>> {
    Ok(api_keys::table
        .filter(api_keys::id.lt(ApiKeyId(page.before)))
        .order(api_keys::id.desc())
        .limit(page.fetch())
        .select(ApiKeyRow::as_select())
        .load(conn)
        .await?)
}

/// Revokes a key; false when it was revoked before.
///
/// # Errors
/// `not_found`.
pub async fn revoke(conn: &mut Conn, id: ApiKeyId, now: DateTime<Utc>) -> Result<bool> {
    let live = api_keys::table.find(id).filter(api_keys::revoked_at.is_null());
    if diesel::update(live).set(api_keys::revoked_at.eq(now)).execute(conn).await? == 1 {
        return Ok(true);
    }
    let known: bool = diesel::select(diesel::dsl::exists(api_keys::table.find(id))).get_result(conn).await?;
    if known { Ok(false) } else { Err(Code::NotFound.error()) }
}
