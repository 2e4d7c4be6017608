//! What gift cards and gift memberships have in common over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rules::Receiver;
use crate::error::Result;
use crate::types::email::Email;

/// Whom a gift card or a gift membership is for. Without it the buyer gets the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftReceiver {
    #[schema(value_type = String, format = "email")]
    pub email: Email,
    #[schema(max_length = 60)]
    pub name: Option<String>,
    #[schema(max_length = 500)]
    pub message: Option<String>,
    /// When the mail goes out; at once by default. Within 366 days.
    pub deliver_at: Option<DateTime<Utc>>,
}

impl GiftReceiver {
    /// # Errors
    /// `invalid_field`
    pub fn parse(&self, field: &str) -> Result<Receiver> {
        let (email, name) = (self.email.clone(), self.name.clone());
        Receiver { email, name, message: self.message.clone(), deliver_at: self.deliver_at }.checked(field)
    }
}

/// A code that somebody holds.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftCode {
    #[schema(example = "7Q4M-2X9P-AB3K-W6TYN")]
    pub code: String,
}
