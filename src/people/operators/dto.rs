//! What goes over the wire about accounts as operators see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rules::{Role, roles_from_stored};
use crate::people::accounts::model::AccountRow;
use crate::types::id::AccountId;
use crate::types::locale::Locale;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AccountFilter {
    /// The whole address, however it is written.
    pub email: Option<String>,
    /// Only operators of this role.
    pub role: Option<Role>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolesPatch {
    /// All roles from now on; empty makes it a plain account.
    pub roles: Vec<Role>,
    /// For the audit log.
    #[schema(max_length = 500)]
    #[serde(default)]
    pub reason: Option<String>,
}

/// An account as an operator sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccountView {
    pub id: AccountId,
    /// None after erasure.
    pub email: Option<String>,
    pub email_verified: bool,
    pub name: Option<String>,
    pub locale: Locale,
    pub marketing: bool,
    pub invite_code: Option<String>,
    pub roles: Vec<Role>,
    pub created_at: DateTime<Utc>,
    pub erased_at: Option<DateTime<Utc>>,
}

impl From<AccountRow> for AccountView {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.id,
            email: row.email,
            email_verified: row.email_verified_at.is_some(),
            name: row.name,
            locale: Locale::from_stored(&row.locale),
            marketing: row.marketing,
            invite_code: row.invite_code,
            roles: roles_from_stored(&row.roles),
            created_at: row.created_at,
            erased_at: row.erased_at,
        }
    }
}
