//! Rows and queries of API keys.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::people::operators::rules::{Role, roles_from_stored};
use crate::people::secrets;
use crate::schema::api_keys;
use crate::types::id::{AccountId, ApiKeyId};

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
