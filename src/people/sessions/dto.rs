//! What goes over the wire about sessions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::people::passwords::Password;
use crate::types::email::Email;
use crate::types::id::SessionId;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    #[schema(value_type = String, format = "email", example = "zhang@example.org")]
    pub email: Email,
    #[schema(value_type = String, format = "password")]
    pub password: Password,
    /// A one-time code, for accounts with a second factor. No account has one yet.
    #[serde(default)]
    pub otp: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    #[schema(example = "kr_…")]
    pub refresh_token: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenPair {
    /// A JWT for the header `Authorization: Bearer …`.
    pub access_token: String,
    /// For one use, at `POST /v1/sessions/refresh`.
    pub refresh_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Of the access token, in seconds.
    #[schema(example = 600)]
    pub expires_in: i64,
}

/// A place where the account is signed in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Session {
    pub id: SessionId,
    /// The one that asks.
    pub current: bool,
    pub user_agent: String,
    pub created_at: DateTime<Utc>,
    /// When its tokens were last renewed.
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}
