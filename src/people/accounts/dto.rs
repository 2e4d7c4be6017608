//! What goes over the wire about accounts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::AccountRow;
use crate::messages::lists::dto::{MailPreferences, MailPreferencesPatch};
use crate::messages::lists::rules::MailList;
use crate::people::operators::rules::{Role, roles_from_stored};
use crate::people::passwords::Password;
use crate::types::email::Email;
use crate::types::id::AccountId;
use crate::types::locale::Locale;
use crate::types::patch::Patch;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    #[schema(value_type = String, format = "email", example = "zhang@example.org")]
    pub email: Email,
    /// 8 to 128 characters, none that many people use.
    #[schema(value_type = String, format = "password")]
    pub password: Password,
    #[schema(max_length = 100)]
    #[serde(default)]
    pub name: Option<String>,
    /// By default the first of `Accept-Language` that the shop speaks.
    #[serde(default)]
    pub locale: Option<Locale>,
    /// May the shop write about more than orders and memberships?
    #[serde(default)]
    pub marketing: bool,
    /// Of the member who brought this person here.
    #[schema(max_length = 64)]
    #[serde(default)]
    pub invite_code: Option<String>,
}

/// Each field may be left out.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfilePatch {
    #[schema(value_type = Option<String>, max_length = 100)]
    #[serde(default)]
    pub name: Patch<String>,
    #[schema(value_type = Option<Locale>)]
    #[serde(default)]
    pub locale: Patch<Locale>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub marketing: Patch<bool>,
    /// Lists of mails to leave or to come back to.
    #[serde(default)]
    pub preferences: MailPreferencesPatch,
    /// Month and day, as `06-17`. It can be given once: coupons hang on it.
    #[serde(default)]
    pub birthday: Option<String>,
    /// A new address. It takes the old one's place once it is verified by the mail that goes to it. Needs `password`.
    #[schema(value_type = Option<String>, format = "email")]
    #[serde(default)]
    pub email: Patch<Email>,
    /// Ends all other sessions. Needs `password`.
    #[schema(value_type = Option<String>, format = "password")]
    #[serde(default)]
    pub new_password: Patch<Password>,
    /// The present one.
    #[schema(value_type = Option<String>, format = "password")]
    #[serde(default)]
    pub password: Option<Password>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Account {
    pub id: AccountId,
    pub email: String,
    pub email_verified: bool,
    /// A new address that waits to be verified.
    pub pending_email: Option<String>,
    pub name: Option<String>,
    pub locale: Locale,
    pub marketing: bool,
    pub preferences: MailPreferences,
    /// Month and day.
    #[schema(example = "06-17")]
    pub birthday: Option<String>,
    pub invite_code: Option<String>,
    /// Of an operator.
    pub roles: Vec<Role>,
    pub created_at: DateTime<Utc>,
}

impl Account {
    pub fn new(row: AccountRow, pending_email: Option<String>, left: &[MailList]) -> Self {
        Self {
            id: row.id,
            email: row.email.unwrap_or_default(),
            email_verified: row.email_verified_at.is_some(),
            pending_email,
            name: row.name,
            locale: Locale::from_stored(&row.locale),
            marketing: row.marketing,
            preferences: MailPreferences::without(left),
            birthday: row.birthday,
            invite_code: row.invite_code,
            roles: roles_from_stored(&row.roles),
            created_at: row.created_at,
        }
    }
}
