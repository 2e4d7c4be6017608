//! What goes over the wire about API keys.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::ApiKeyRow;
use crate::people::operators::rules::Role;
use crate::types::id::{AccountId, ApiKeyId, MerchantId};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What it is for.
    #[schema(max_length = 100, example = "storefront")]
    pub name: String,
    #[schema(min_items = 1)]
    pub roles: Vec<Role>,
    /// None: until it is revoked.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
    /// With the role `counter`, and only with it.
    #[serde(default)]
    pub counter: Option<CounterPlace>,
}

/// Where a counter's key may take vouchers.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CounterPlace {
    pub merchant: MerchantId,
    /// As the merchant calls the place.
    #[schema(max_length = 100, example = "Nanjing Road")]
    pub outlet: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub roles: Vec<Role>,
    pub created_by: AccountId,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// Of a counter's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<CounterPlace>,
}

/// A new key. The secret is shown this once.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedApiKey {
    #[serde(flatten)]
    pub api_key: ApiKey,
    /// For the header `Authorization: Bearer …`.
    #[schema(example = "kd_…")]
    pub key: String,
}

impl From<ApiKeyRow> for ApiKey {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: row.id,
            roles: row.roles(),
            name: row.name,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            counter: row
                .merchant_id
                .zip(row.outlet)
                .map(|(merchant, outlet)| CounterPlace { merchant, outlet }),
        }
    }
}
